"""Measures how fast a training reads clips, against reading as the published loaders do.

python -m benchmarks.training_loader [FOLDER] [--rounds 9]

One clip of 16 frames from a random place of a file, ready to augment: frames of 256 x 256. "As published" opens the
file with OpenCV, seeks, reads 16 frames and resizes each (INTER_AREA); of DICOM, which OpenCV does not read, it decodes
all frames with pydicom, as users of the published code do, and resizes 16. Both are held to one CPU and take turns.
FOLDER holds the cines of `cines.py`; the AVI of 112 x 112 pixels, as EchoNet-Dynamic's, is made of the longest.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from rich.console import Console
from rich.table import Table

from benchmarks.cines import SampleCine, as_video, default_folder, find
from benchmarks.preprocessing import one_cpu
from benchmarks.timing import describe_ratio, in_turn
from panecho_preprocessing import ClipOptions, clip_at

TARGET = 1.5
FRAMES = 16
SIZE = 256
ECHONET_SIZE = 112
ECHONET_FRAMES = 175
CLIPS_PER_SECOND = 75
"""That one A100-class GPU trains: 1,200 images of 224 pixels a second (docs/reference/training.md)."""

GPUS = 8
_OUT = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def main() -> int:
    """Print the table; return 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=default_folder())
    parser.add_argument("--rounds", type=int, default=9, help="how often each is timed (default: 9)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    cines = find(arguments.folder)
    table = Table(title="One clip of 16 frames, one CPU", title_justify="left")
    for column in ("file", "as published, ms", "ours, ms", "times as fast", "clips/s a core", f"cores for {GPUS} GPUs"):
        table.add_column(column)
    missed = []
    with one_cpu(), tempfile.TemporaryDirectory() as folder:
        for cine in [echonet_like(cines[-1]), *cines]:
            path = Path(folder) / f"cine{cine.suffix}"
            path.write_bytes(cine.data)
            times = in_turn({"ours": ours(path), "published": as_published(path, cine)}, arguments.rounds)
            ratios = times["published"].ratios(times["ours"])
            speed = 1 / times["ours"].median
            cores = GPUS * CLIPS_PER_SECOND / speed
            spreads = times["published"].spread(), times["ours"].spread()
            table.add_row(cine.name, *spreads, describe_ratio(ratios), f"{speed:.0f}", f"{cores:.1f}")
            if float(np.median(ratios)) < TARGET:
                missed.append(cine.name)
    _OUT.print(table)
    _OUT.print(f"Target, at least {TARGET:g} times as fast: {'MISSED on ' + ', '.join(missed) if missed else 'met'}")
    return 1 if missed else 0


def echonet_like(cine: SampleCine) -> SampleCine:
    """Return the cine as EchoNet-Dynamic's videos are: grey, 112 x 112 pixels, MJPEG, 175 frames."""
    frames = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in _decoded(as_video(cine, ".avi", "MJPG"))]
    with tempfile.NamedTemporaryFile(suffix=".avi") as file:
        codec = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(file.name, codec, 50, (ECHONET_SIZE, ECHONET_SIZE))
        for number in range(ECHONET_FRAMES):
            small = cv2.resize(frames[number % len(frames)], (ECHONET_SIZE, ECHONET_SIZE), interpolation=cv2.INTER_AREA)
            writer.write(cv2.merge([small, small, small]))
        writer.release()
        data = Path(file.name).read_bytes()
    return SampleCine(f"AVI of {ECHONET_SIZE} x {ECHONET_SIZE}, as EchoNet", data, ".avi", ECHONET_FRAMES)


def _decoded(cine: SampleCine) -> list[NDArray[np.uint8]]:
    with tempfile.NamedTemporaryFile(suffix=cine.suffix) as file:
        Path(file.name).write_bytes(cine.data)
        capture = cv2.VideoCapture(file.name)
        return [np.asarray(capture.read()[1], np.uint8) for _ in range(cine.frames)]


def ours(path: Path) -> Callable[[], object]:
    """Return the loader's reading, at the next of some random places."""
    places = _Places()
    return lambda: clip_at(np.fromfile(path, np.uint8), ClipOptions(), next(places), border=True)


def as_published(path: Path, cine: SampleCine) -> Callable[[], object]:
    """Return the published loaders' way, at the same places."""
    places = _Places()

    def start() -> int:
        return int(next(places) * (cine.frames - FRAMES + 1))

    return (lambda: _seek_and_read(path, start())) if cine.suffix == ".avi" else (lambda: _decode_all(path, start()))


class _Places:
    """Random numbers from 0 to 1, the same ones each time."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)

    def __next__(self) -> float:
        return float(self._random.random())


def _seek_and_read(path: Path, start: int) -> NDArray[np.uint8]:
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_POS_FRAMES, start)
    frames = [np.asarray(capture.read()[1], np.uint8) for _ in range(FRAMES)]
    capture.release()
    return _resized(frames)


def _decode_all(path: Path, start: int) -> NDArray[np.uint8]:
    pixels = dcmread(io.BytesIO(path.read_bytes())).pixel_array
    return _resized(list(pixels[start : start + FRAMES]))


def _resized(frames: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return np.stack([cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for frame in frames]).astype(
        np.uint8
    )


if __name__ == "__main__":
    sys.exit(main())
