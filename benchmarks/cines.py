"""The real cines that are measured, and the longer DICOM files, AVI and MP4 made from them."""

import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage

from panecho_client import ClipOptions

ROOT = Path(__file__).parents[1]
MEMORY = Path("/dev/shm")  # noqa: S108  # files for other programs, in memory: no disk is measured

# The longest last: it is the one that the targets are about and that longer files are made from.
KNOWN = {
    "SonoSite": "sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm",
    "GE Vivid": "ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm",
    "Acuson": "acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm",
}
_DESCRIPTION = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")


@dataclass(frozen=True, slots=True)
class SampleCine:
    """One file to measure.

    Attributes:
        name: what the tables call it.
        data: the file.
        suffix: of its kind: ".dcm", ".avi" or ".mp4".
        frames: how many frames it holds.
    """

    name: str
    data: bytes
    suffix: str
    frames: int

    @property
    def megabytes(self) -> float:
        """Its size in units of a million bytes."""
        return len(self.data) / 1e6


def describe_clips(options: ClipOptions) -> str:
    """Return how clips are made, for the head of a table: every choice that a request states."""
    return "Clips: " + ", ".join(f"{name}={value}" for name, value in options.parameters("skip").items()) + "."


def default_folder() -> Path:
    """Return the folder of all three cines if it is next to the checkout, else that of the shipped one."""
    shared = ROOT.parent / "shared" / "data"
    return shared if shared.is_dir() else ROOT / "tests" / "data"


def find(folder: Path) -> list[SampleCine]:
    """Read those of the known cines that the folder holds; their pixels are JPEG Baseline."""
    return [_read(name, folder / file) for name, file in KNOWN.items() if (folder / file).is_file()]


def repeated(cine: SampleCine, times: int) -> SampleCine:
    """Make a DICOM file of the cine's JPEG frames, all of them `times` over; once is a clean copy of a flawed file."""
    jpegs = _jpegs(cine.data) * times
    buffer = io.BytesIO()
    dcmwrite(buffer, _described(cine.data, jpegs), enforce_file_format=True)
    name = cine.name if times == 1 else f"{cine.name}, {times} times over"
    return SampleCine(name, buffer.getvalue(), ".dcm", len(jpegs))


def as_video(cine: SampleCine, suffix: str, codec: str) -> SampleCine:
    """Encode the cine's frames with OpenCV: ".avi" and "MJPG", or ".mp4" and "mp4v"."""
    frames = list(_pixels(_jpegs(cine.data)))
    rows, columns = frames[0].shape[:2]
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        writer = cv2.VideoWriter(file.name, cv2.VideoWriter.fourcc(*codec), 30, (columns, rows))
        for frame in frames:
            writer.write(frame)
        writer.release()
        data = Path(file.name).read_bytes()
    return SampleCine(f"{cine.name} as {codec} {suffix[1:].upper()}", data, suffix, len(frames))


def _read(name: str, file: Path) -> SampleCine:
    data = file.read_bytes()
    header = dcmread(io.BytesIO(data), stop_before_pixels=True)
    frames = int(header.NumberOfFrames)
    return SampleCine(f"{name} {header.Columns} x {header.Rows}", data, ".dcm", frames)


def _jpegs(data: bytes) -> list[bytes]:
    file = dcmread(io.BytesIO(data))
    return list(generate_frames(file.PixelData, number_of_frames=int(file.NumberOfFrames)))


def _pixels(jpegs: list[bytes]) -> Iterator[NDArray[np.uint8]]:
    for jpeg in jpegs:
        yield np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)


def _described(data: bytes, jpegs: list[bytes]) -> Dataset:
    """Copy what describes the pixels and nothing else: one of the cines holds elements that cannot be written again."""
    source, file = dcmread(io.BytesIO(data)), Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = source.SOPInstanceUID
    for keyword in (*_DESCRIPTION, "PhotometricInterpretation", "PlanarConfiguration", "SequenceOfUltrasoundRegions"):
        if keyword in source:
            setattr(file, keyword, getattr(source, keyword))
    file.NumberOfFrames = len(jpegs)
    file.PixelData = encapsulate(jpegs)
    file["PixelData"].is_undefined_length = True
    return file
