"""A study of mixed cines, as large as a real one: several encodings of DICOM, AVI and MP4, made from one real cine."""

import io
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from load_tests.requests.payloads import lengthened
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from benchmarks.obvious import read_frames

CINE = Path(__file__).parents[1] / "tests/data/sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm"
FRAMES = 30  # of the cine: one that begins with another frame, or is longer, is another video


def write_mixed_study(folder: Path, count: int = 40) -> list[Path]:
    """Write a study of ``count`` cines, each another video: five of nine JPEG, then RLE, uncompressed, AVI or MP4."""
    cine = CINE.read_bytes()
    kinds = [*[("JPEG", ".dcm")] * 5, ("RLE", ".dcm"), ("uncompressed", ".dcm"), ("MJPG", ".avi"), ("mp4v", ".mp4")]
    paths = []
    for number in range(count):
        kind, suffix = kinds[number % len(kinds)]
        path = folder / f"{number:02d} {kind}{suffix}"
        _write(path, kind, lengthened(cine, 1 + (number + number // FRAMES) % 3, first=number % FRAMES))
        paths.append(path)
    return paths


def _write(path: Path, kind: str, jpeg: bytes) -> None:
    if kind == "JPEG":
        path.write_bytes(jpeg)
    elif path.suffix == ".dcm":
        path.write_bytes(recompressed(jpeg, compress=kind == "RLE"))
    else:
        _write_video(path, kind, read_frames(jpeg))


def recompressed(jpeg: bytes, *, compress: bool) -> bytes:
    """Return a JPEG cine as RLE if ``compress``, else uncompressed."""
    file = dcmread(io.BytesIO(jpeg))
    pixels = read_frames(jpeg)[..., ::-1]
    file.PixelData = np.ascontiguousarray(pixels).tobytes()
    file["PixelData"].VR = "OB"
    file["PixelData"].is_undefined_length = False
    file.PhotometricInterpretation, file.PlanarConfiguration = "RGB", 0
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if compress:
        file.compress(RLELossless, generate_instance_uid=False)
    content = io.BytesIO()
    dcmwrite(content, file)
    return content.getvalue()


def _write_video(path: Path, codec: str, frames: NDArray[np.uint8]) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 30, (frames.shape[2], frames.shape[1]))
    for frame in frames:
        writer.write(frame)
    writer.release()


def sizes(paths: list[Path]) -> Mapping[str, float]:
    """Return the megabytes of each kind of file."""
    kinds: dict[str, float] = {}
    for path in paths:
        kind = path.stem.split()[1]
        kinds[kind] = kinds.get(kind, 0.0) + path.stat().st_size / 1e6
    return kinds
