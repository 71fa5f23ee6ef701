"""Ways from a file's bytes to clips: ours, and what one would write without it. All of those decode every frame."""

import inspect
import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from benchmarks.cines import MEMORY, SampleCine
from panecho_preprocessing import CHANNEL_ORDER, CLIP_LENGTH, CROP, RESIZE, ClipOptions, video_clips

Clips: TypeAlias = NDArray[np.uint8]
Variant: TypeAlias = Callable[[SampleCine, int], Clips]

OURS = "ours"
OURS_UNMASKED = "ours, framing=whole"
PYDICOM = "pydicom + cv2.resize"
DCMTK = "dcmtk + cv2.resize"
FFMPEG = "ffmpeg + cv2.resize"
OPENCV = "cv2.VideoCapture + cv2.resize"

TAKES_THREADS = "threads" in inspect.signature(video_clips).parameters
_TAKES_FRAMING = "framing" in {field.name for field in fields(ClipOptions)}
_DCMTK_TOOL = shutil.which("dcm2img") or shutil.which("dcmj2pnm")  # newer and older name
_FFMPEG_TOOL = shutil.which("ffmpeg")
_BORDER = (RESIZE - CROP) // 2


def variants(suffix: str) -> dict[str, Variant]:
    """Return every way to read this kind of file that can be tried here, ours first."""
    found: dict[str, Variant] = {OURS: ours}
    if _TAKES_FRAMING:
        found[OURS_UNMASKED] = lambda cine, clips: ours(cine, clips, framing="whole")
    if suffix == ".dcm":
        found[PYDICOM] = lambda cine, clips: _clips(_pydicom(cine), clips)
        if _DCMTK_TOOL:
            found[DCMTK] = lambda cine, clips: _clips(_dcmtk(cine), clips)
        return found
    found[OPENCV] = lambda cine, clips: _clips(_opencv(cine), clips)
    if _FFMPEG_TOOL:
        found[FFMPEG] = lambda cine, clips: _clips(_ffmpeg(cine), clips)
    return found


def missing_tools() -> list[str]:
    """Say what to install for the alternatives that cannot be tried here."""
    tools = {"dcmj2pnm": (_DCMTK_TOOL, DCMTK, "dcmtk"), "ffmpeg": (_FFMPEG_TOOL, FFMPEG, "ffmpeg")}
    return [
        f"Left out: {variant}: there is no {tool}; it is in the Debian package {package}."
        for tool, (path, variant, package) in tools.items()
        if not path
    ]


def ours(cine: SampleCine, num_clips: int, threads: int = 1, **choices: str) -> Clips:
    """Make clips with this repository's package; `threads` counts where the package takes it."""
    options: dict[str, Any] = {"num_clips": num_clips, **choices}
    more: dict[str, Any] = {"threads": threads} if TAKES_THREADS else {}
    return video_clips(cine.data, ClipOptions(**options), **more)


def _clips(frames: Iterable[NDArray[np.uint8]], num_clips: int) -> Clips:
    """Resize and crop every BGR frame, then take those of the clips."""
    inside = slice(_BORDER, _BORDER + CROP)
    resized = np.stack([cv2.resize(f, (RESIZE, RESIZE), interpolation=cv2.INTER_AREA)[inside, inside] for f in frames])
    last_start = max(0, len(resized) - CLIP_LENGTH)
    spaced = np.linspace(0, last_start, num_clips).round() if num_clips > 1 else np.array([last_start // 2])
    numbers = np.minimum(spaced.astype(int)[:, None] + np.arange(CLIP_LENGTH), len(resized) - 1)
    chosen = np.asarray(resized[numbers], dtype=np.uint8)
    return chosen if CHANNEL_ORDER == "BGR" else chosen[..., ::-1]


def _pydicom(cine: SampleCine) -> Iterator[NDArray[np.uint8]]:
    for frame in dcmread(io.BytesIO(cine.data)).pixel_array:
        yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), dtype=np.uint8)


def _dcmtk(cine: SampleCine) -> Iterator[NDArray[np.uint8]]:
    """Read the binary PPM images that dcmtk writes one after another."""
    with _named(cine) as path, _output(str(_DCMTK_TOOL), "--quiet", "--all-frames", path) as images:
        while images.readline().strip() == b"P6":
            columns, rows = map(int, images.readline().split())
            images.readline()  # the largest value, 255
            frame = np.frombuffer(images.read(rows * columns * 3), np.uint8).reshape(rows, columns, 3)
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), dtype=np.uint8)


def _ffmpeg(cine: SampleCine) -> Iterator[NDArray[np.uint8]]:
    with _named(cine) as path:
        rows, columns = _size(path)
        raw = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-")
        with _output(str(_FFMPEG_TOOL), "-v", "error", "-threads", "1", "-i", path, *raw) as pixels:
            while frame := pixels.read(rows * columns * 3):
                yield np.frombuffer(frame, np.uint8).reshape(rows, columns, 3)


def _opencv(cine: SampleCine) -> Iterator[NDArray[np.uint8]]:
    with _named(cine) as path:
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        decoded, frame = capture.read()
        while decoded:
            yield np.asarray(frame, dtype=np.uint8)
            decoded, frame = capture.read()
        capture.release()


def _size(path: str) -> tuple[int, int]:
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    rows, columns = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    capture.release()
    return rows, columns


@contextmanager
def _named(cine: SampleCine) -> Iterator[str]:
    """Give the bytes a name that other programs can open."""
    with tempfile.NamedTemporaryFile(suffix=cine.suffix, dir=MEMORY if MEMORY.is_dir() else None) as file:
        Path(file.name).write_bytes(cine.data)
        yield file.name


@contextmanager
def _output(*command: str) -> Iterator[IO[bytes]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603  # a decoder, on our own file
        if process.stdout is None:
            raise RuntimeError("a pipe was asked for")
        yield process.stdout
