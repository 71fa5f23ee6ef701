"""The intact files that mutations start from: one small file of every kind that is read, and the real ones."""

import io
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
)

ROOT = Path(__file__).parents[2]
_CODEC = "1.2.840.10008.1.2.4."
_FRAMES, _ROWS, _COLUMNS = 3, 40, 64


class Seed(NamedTuple):
    """An intact file: for real ones, `name` is the file's."""

    name: str
    data: bytes


@cache
def all_seeds() -> tuple[Seed, ...]:
    """Make and read every seed; the order depends on the names of the files alone."""
    made = [*_uncompressed(), *_compressed(), *_further_codecs(), *_videos()]
    return tuple(Seed(name, data) for name, data in made) + tuple(_real_files())


def _real_files() -> Iterator[Seed]:
    folders = (ROOT / "tests/data", ROOT.parent / "shared/data")
    files = [file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir())]
    found = {file.name: file for file in files if file.suffix in (".dcm", ".mpeg", ".ts", ".avi", ".mp4")}
    for name, file in found.items():
        yield Seed(name, file.read_bytes())


def _moving(channels: int = 1) -> NDArray[np.uint8]:
    """Draw a few frames with edges and gradients: [frames, rows, columns] or [frames, rows, columns, 3]."""
    frame, row, column = np.ogrid[:_FRAMES, :_ROWS, :_COLUMNS]
    grey = ((row * 3 + column * 2 + frame * 20) ^ (column // 8 * 40)).astype(np.uint8)
    return grey if channels == 1 else np.stack([grey, grey // 2, ~grey], axis=-1)


def _uncompressed() -> Iterator[tuple[str, bytes]]:
    grey, colour = _moving(), _moving(3)
    for name, syntax in {
        "explicit": ExplicitVRLittleEndian,
        "implicit": ImplicitVRLittleEndian,
        "big-endian": ExplicitVRBigEndian,
        "deflated": DeflatedExplicitVRLittleEndian,
    }.items():
        yield f"mono2-{name}", _saved(_described(grey, syntax))
    yield "mono1", _saved(_described(grey, PhotometricInterpretation="MONOCHROME1"))
    yield "mono2-signed-12-of-16", _saved(_described(grey.astype(np.uint16) << 4, BitsStored=12, PixelRepresentation=1))
    yield "rgb", _saved(_described(colour))
    yield "rgb-planar", _saved(_described(colour, PlanarConfiguration=1))
    yield "ybr", _saved(_described(colour, PhotometricInterpretation="YBR_FULL"))
    subsampled = _described(colour, PhotometricInterpretation="YBR_FULL_422")
    subsampled.PixelData = colour.tobytes()[: colour.size // 3 * 2]
    yield "ybr-422", _saved(subsampled)
    yield "palette", _saved(_described(grey, **_palette()))


def _compressed() -> Iterator[tuple[str, bytes]]:
    grey, colour = _moving(), _moving(3)
    for name, pixels, elements in (("mono2", grey, {}), ("rgb", colour, {}), ("palette", grey, _palette())):
        yield f"rle-{name}", _saved(_encapsulated(pixels, RLELossless, _rle, **elements))
    yield "jpeg-mono2", _saved(_encapsulated(grey, JPEGBaseline8Bit, _jpeg))
    ybr = _encapsulated(colour, JPEGBaseline8Bit, _jpeg, PhotometricInterpretation="YBR_FULL_422")
    yield "jpeg-ybr", _saved(ybr)
    jpegs = [_jpeg(frame) for frame in colour]
    ybr.PixelData, ybr.ExtendedOffsetTable, ybr.ExtendedOffsetTableLengths = encapsulate_extended(jpegs)
    yield "jpeg-extended-offset-table", _saved(ybr)
    del ybr.ExtendedOffsetTable, ybr.ExtendedOffsetTableLengths
    ybr.PixelData = encapsulate(jpegs, fragments_per_frame=2, has_bot=False)
    yield "jpeg-fragments", _saved(ybr)


def _further_codecs() -> Iterator[tuple[str, bytes]]:
    grey, colour = _moving(), _moving(3)
    deep = grey.astype(np.uint16) << 4
    jpeg_2000 = partial(imagecodecs.jpeg2k_encode, codecformat="j2k")
    for name, pixels, number, encode in (
        ("jpeg-extended-12", deep, 51, partial(imagecodecs.jpeg8_encode, bitspersample=12)),
        ("jpeg-lossless", grey, 70, imagecodecs.ljpeg_encode),
        ("jpeg-ls", grey, 80, imagecodecs.jpegls_encode),
        ("jpeg-ls-rgb", colour, 80, imagecodecs.jpegls_encode),
        ("jpeg-ls-12", deep, 80, imagecodecs.jpegls_encode),
        ("jpeg-2000", grey, 90, partial(jpeg_2000, reversible=True)),
        ("jpeg-2000-rgb", colour, 91, jpeg_2000),
        ("jpeg-2000-12", deep, 90, partial(jpeg_2000, reversible=True)),
        ("jpeg-xl", grey, 112, imagecodecs.jpegxl_encode),
        ("jpeg-xl-rgb", colour, 110, partial(imagecodecs.jpegxl_encode, lossless=True)),
    ):
        stored = {"BitsStored": 12, "HighBit": 11} if pixels is deep else {}
        known = 201 if number in (110, 112) else number  # pydicom writes no JPEG XL
        data = _saved(_encapsulated(pixels, f"{_CODEC}{known}", encode, **stored))
        yield name, data.replace(f"{_CODEC}{known}".encode(), f"{_CODEC}{number}".encode())


def _videos() -> Iterator[tuple[str, bytes]]:
    for suffix, codec in ((".avi", "MJPG"), (".mp4", "mp4v"), (".avi", "XVID")):
        with tempfile.NamedTemporaryFile(suffix=suffix) as file:
            writer = cv2.VideoWriter(file.name, cv2.VideoWriter.fourcc(*codec), 30, (_COLUMNS, _ROWS))
            for frame in _moving(3):
                writer.write(frame)
            writer.release()
            data = Path(file.name).read_bytes()
        yield f"{codec}{suffix}", data
        if suffix == ".mp4":
            cine = _described(_moving(3), f"{_CODEC}102", PixelData=encapsulate([data]))
            cine["PixelData"].is_undefined_length = True
            yield "mp4-in-dicom", _saved(cine)


def _described(pixels: NDArray[Any], syntax: str = ExplicitVRLittleEndian, **elements: object) -> Dataset:
    """Describe pixels as an uncompressed cine; `elements` are set last."""
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = UID(syntax)
    file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    file.NumberOfFrames, file.Rows, file.Columns = pixels.shape[:3]
    file.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    file.PhotometricInterpretation = "RGB" if pixels.ndim == 4 else "MONOCHROME2"
    file.PlanarConfiguration = 0
    file.BitsAllocated = file.BitsStored = pixels.itemsize * 8
    file.HighBit = file.BitsAllocated - 1
    file.PixelRepresentation = 0
    file.SequenceOfUltrasoundRegions = [_region()]
    file.add_new("PixelData", "OW" if pixels.itemsize == 2 else "OB", pixels.tobytes())
    for keyword, value in elements.items():
        setattr(file, keyword, value)
    return file


def _region() -> Dataset:
    """Describe a tissue region (PS3.3 C.8.5.5) that leaves out a border of the frame."""
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionFlags = 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 8, 4
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = _COLUMNS - 8, _ROWS - 4
    return region


def _palette() -> dict[str, Any]:
    elements: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        elements[f"{colour}PaletteColorLookupTableData"] = (np.arange(256) * 257).astype("<u2").tobytes()
    return elements


def _encapsulated(
    pixels: NDArray[Any], syntax: str, encode: Callable[[NDArray[Any]], bytes | bytearray], **elements: object
) -> Dataset:
    file = _described(pixels, syntax, **elements)
    file.PixelData = encapsulate([bytes(encode(frame)) for frame in pixels])
    file["PixelData"].is_undefined_length = True
    return file


def _jpeg(frame: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", frame)[1].tobytes()


def _rle(frame: NDArray[np.uint8]) -> bytes:
    layout: dict[str, Any] = {
        "rows": frame.shape[0],
        "columns": frame.shape[1],
        "samples_per_pixel": 3 if frame.ndim == 3 else 1,
        "number_of_frames": 1,
        "photometric_interpretation": "RGB" if frame.ndim == 3 else "MONOCHROME2",
        "planar_configuration": 0,
        "bits_allocated": 8,
        "bits_stored": 8,
        "pixel_representation": 0,
    }
    return bytes(get_encoder(RLELossless).encode(frame.tobytes(), index=0, **layout))


def _saved(file: Dataset) -> bytes:
    buffer = io.BytesIO()
    dcmwrite(buffer, file, enforce_file_format=True)
    return buffer.getvalue()
