import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.config import disable_value_validation
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.uid import UID, ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

Array = NDArray[Any]


@pytest.fixture(scope="session")
def sonosite(cine: Path) -> bytes:
    """A real cine: 30 JPEG frames of 320 x 240."""
    return cine.read_bytes()


@pytest.fixture(scope="session")
def field() -> Callable[[str], bytes]:
    """Read a file of tests/data/field: situations that users of other software have reported."""
    folder = Path(__file__).parents[1] / "data" / "field"
    return lambda name: (folder / name).read_bytes()


@pytest.fixture(scope="session")
def jpegs(sonosite: bytes) -> list[bytes]:
    """The cine's 30 JPEG streams, taken out by pydicom."""
    return list(generate_frames(dcmread(io.BytesIO(sonosite)).PixelData, number_of_frames=30))


@pytest.fixture(scope="session")
def bgr(jpegs: list[bytes]) -> NDArray[np.uint8]:
    """The cine's pixels: uint8 [30, 240, 320, 3]; test_jpeg.py compares one frame with other decoders."""
    return np.stack([np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)) for jpeg in jpegs])


@pytest.fixture(scope="session")
def grey(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The cine's green channel: uint8 [30, 240, 320]."""
    return np.ascontiguousarray(bgr[..., 1])


@pytest.fixture(scope="session")
def data_set() -> Callable[..., Dataset]:
    """Describe an uncompressed cine: uint8 or uint16 [n, rows, columns] or [n, rows, columns, 3], and any elements."""

    def make(pixels: Array, syntax: str = ExplicitVRLittleEndian, **elements: object) -> Dataset:
        file = Dataset()
        file.file_meta = FileMetaDataset()
        file.file_meta.TransferSyntaxUID = UID(syntax)
        file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
        file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
        file.PatientName = "SECRET^PATIENT"
        file.NumberOfFrames = len(pixels)
        file.Rows, file.Columns = pixels.shape[1:3]
        file.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
        file.PhotometricInterpretation = "RGB" if pixels.ndim == 4 else "MONOCHROME2"
        if pixels.ndim == 4:
            file.PlanarConfiguration = 0
        file.BitsAllocated = file.BitsStored = pixels.itemsize * 8
        file.HighBit = file.BitsAllocated - 1
        file.PixelRepresentation = 0
        file.add_new("PixelData", "OW" if pixels.itemsize == 2 else "OB", pixels.tobytes())
        for keyword, value in elements.items():
            setattr(file, keyword, value)
        return file

    return make


@pytest.fixture(scope="session")
def saved() -> Callable[[Dataset], bytes]:
    """Write a data set as a DICOM file."""

    def save(file: Dataset) -> bytes:
        buffer = io.BytesIO()
        dcmwrite(buffer, file, enforce_file_format=True)
        return buffer.getvalue()

    return save


@pytest.fixture(scope="session")
def dicom(data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes]) -> Callable[..., bytes]:
    """Write pixels as an uncompressed DICOM file; arguments as `data_set`."""
    return lambda pixels, syntax=ExplicitVRLittleEndian, **elements: saved(data_set(pixels, syntax, **elements))


@pytest.fixture(scope="session")
def rewritten(sonosite: bytes, saved: Callable[[Dataset], bytes]) -> Callable[..., bytes]:
    """Change elements of the real cine, to nonsense if asked for."""

    def rewrite(**elements: object) -> bytes:
        file = dcmread(io.BytesIO(sonosite))
        with disable_value_validation():
            for keyword, value in elements.items():
                setattr(file, keyword, value)
        return saved(file)

    return rewrite


@pytest.fixture(scope="session")
def expected() -> Callable[..., NDArray[np.uint8]]:
    """The preprocessing as the published loader does it, frame by frame with plain OpenCV."""

    def clips(frames: Sequence[Array], starts: Sequence[int], length: int = 16, stride: int = 1) -> NDArray[np.uint8]:
        made = []
        for start in starts:
            for step in range(length):
                frame = frames[min(start + step * stride, len(frames) - 1)]
                colour = frame if frame.ndim == 3 else cv2.merge([frame, frame, frame])
                made.append(cv2.resize(colour, (256, 256), interpolation=cv2.INTER_AREA)[16:240, 16:240])
        return np.array(made, dtype=np.uint8).reshape(len(starts), length, 224, 224, 3)

    return clips
