"""Reads the elements of a DICOM header that describe its pixels, and no others."""

import struct
import zlib
from dataclasses import dataclass
from typing import cast

from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from panecho_preprocessing.dicom.image_type import DESCRIPTION_KEYWORDS
from panecho_preprocessing.dicom.regions import Region, read_regions
from panecho_preprocessing.dicom.sop_class import VOLUME_SLICES, is_private, require_echo
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.limits import Limits

_PALETTE = [
    f"{prefix}{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for prefix, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
]
_READ = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ExtendedOffsetTable",
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "SequenceOfUltrasoundRegions",
    "FrameTime",
    "FrameTimeVector",
    "FrameIncrementPointer",
    "CineRate",
    "RecommendedDisplayFrameRate",
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *DESCRIPTION_KEYWORDS,
    *_PALETTE,
    cast("str", VOLUME_SLICES),  # pydicom takes keywords and numbers of tags
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The description of one file's pixel data (DICOM PS3.3 C.7.6.3), not yet compared with the pixels.

    `pixels` is the value of (7FE0,0010); it reaches to the end of the file where its length is undefined, as it is for
    compressed data. `pixel_bytes` is the length that its element states: more than `pixels` holds in a cut-off file.
    `declared_frames` is None where NumberOfFrames is missing or not a number; it may be wrong. `is_private` tells a
    manufacturer's own SOP class from the standard's. `low_bit` is not 0 where samples are stored in the upper bits.
    """

    transfer_syntax: UID | None
    little_endian: bool
    rows: int
    columns: int
    samples: int
    photometric: str
    planar: bool
    bits_allocated: int
    bits_stored: int
    low_bit: int
    signed: bool
    declared_frames: int | None
    pixels: memoryview
    pixel_bytes: int
    undefined_length: bool
    words: bool
    regions: tuple[Region, ...]
    is_private: bool
    dataset: Dataset


_INFLATE_STEP = 1 << 20

_ITEM_DELIMITERS = (b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xff\xfe\xe0\x0d\0\0\0\0")  # little and big endian
_MAX_STRAY = 8


class _Reader:
    """A memoryview with the methods of a file that pydicom calls, so that the pixels are not copied."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        end = len(self._data) if size < 0 else self._position + size
        taken = bytes(self._data[self._position : end])
        self._position += len(taken)
        return taken

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._position = offset + (0, self._position, len(self._data))[whence]
        return self._position

    def tell(self) -> int:
        return self._position


def read_header(data: memoryview, limits: Limits) -> Header:
    """Read a DICOM file up to its pixel data.

    Args:
        data: the whole file; preamble and file meta information (PS3.10 7.1) may be missing.
        limits: sizes above which the file is refused.

    Raises:
        VideoError: the object is not a 2D ultrasound image (see `require_echo`); UNREADABLE_DICOM, UNSUPPORTED_PIXELS
            or TOO_LARGE.
        Exception: whatever pydicom raises on a broken file.
    """
    deflated = _deflated_part(data)
    if deflated is not None:
        data = _inflate(deflated, limits.max_inflated_bytes)
    dataset, rest = _read_elements(data)
    implicit, little_endian = dataset.original_encoding
    regions = read_regions(dataset)
    require_echo(dataset, regions)
    vr, length, pixels = _pixel_element(rest, bool(implicit), bool(little_endian))
    bits_allocated = _number(dataset, "BitsAllocated")
    header = Header(
        transfer_syntax=DeflatedExplicitVRLittleEndian
        if deflated is not None
        else dataset.file_meta.get("TransferSyntaxUID"),
        little_endian=bool(little_endian),
        rows=_number(dataset, "Rows"),
        columns=_number(dataset, "Columns"),
        samples=_number(dataset, "SamplesPerPixel"),
        photometric=str(dataset.get("PhotometricInterpretation") or "").strip(),
        planar=_number(dataset, "PlanarConfiguration", 0) == 1,
        bits_allocated=bits_allocated,
        bits_stored=_number(dataset, "BitsStored", bits_allocated),
        low_bit=_low_bit(dataset, bits_allocated),
        signed=_number(dataset, "PixelRepresentation", 0) == 1,
        declared_frames=_number(dataset, "NumberOfFrames", 0) or None,
        pixels=pixels,
        pixel_bytes=len(pixels) if length is None else length,
        undefined_length=length is None,
        words=vr == b"OW",
        regions=regions,
        is_private=is_private(dataset),
        dataset=dataset,
    )
    _check(header, limits.max_frame_pixels)
    return header


def _read_elements(data: memoryview) -> tuple[Dataset, memoryview]:
    """Read the header; return it and the rest of the file, from the pixels' tag.

    At an item delimiter outside a sequence, which some writers leave, pydicom stops: it is cut out.
    """
    for _ in range(_MAX_STRAY):
        reader = _Reader(data)
        dataset = dcmread(reader, stop_before_pixels=True, force=True, specific_tags=list(_READ))
        end = reader.tell()
        is_at_pixels = bytes(data[end : end + 4]) in (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
        if is_at_pixels or bytes(data[max(0, end - 8) : end]) not in _ITEM_DELIMITERS:
            break
        data = memoryview(b"".join((data[: end - 8], data[end:])))
    return dataset, data[end:]


def _deflated_part(data: memoryview) -> memoryview | None:
    """Return the data set after the file meta information if it is deflated (PS3.5 A.5)."""
    reader = _Reader(data)
    read_preamble(reader, force=True)  # type: ignore[arg-type]  # reads, seeks and tells, which is all that is used
    meta = read_dataset(
        reader,  # type: ignore[arg-type]  # as above
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=_after_meta,
    )
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return None
    return data[reader.tell() :]


def _after_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != 0x0002


def _inflate(data: memoryview, limit: int) -> memoryview:
    """Inflate in steps into one buffer: a decompression bomb stops at the limit, and is never copied."""
    inflater, inflated = zlib.decompressobj(-zlib.MAX_WBITS), bytearray()
    waiting: bytes | memoryview = data
    while waiting and not inflater.eof:
        inflated += inflater.decompress(waiting, _INFLATE_STEP)
        waiting = inflater.unconsumed_tail
        if len(inflated) > limit:
            raise VideoError(VideoErrorCode.TOO_LARGE, f"the deflated file inflates to over {limit} bytes")
    return memoryview(inflated)


def _pixel_element(data: memoryview, implicit: bool, little_endian: bool) -> tuple[bytes, int | None, memoryview]:  # noqa: FBT001
    """Return the pixel data element's VR, its length, None if undefined, and its value (PS3.5 7.1.2)."""
    order = "<" if little_endian else ">"
    if len(data) < 12 or struct.unpack_from(f"{order}HH", data) != (0x7FE0, 0x0010):
        raise VideoError(
            VideoErrorCode.NO_PIXEL_DATA,
            "the DICOM file holds no pixel data, or is cut off before it",
        )
    vr = b"OW" if implicit else bytes(data[4:6])
    start = 8 if implicit else 12
    (length,) = struct.unpack_from(f"{order}I", data, start - 4)
    if length == 0xFFFFFFFF:
        return vr, None, data[start:]
    return vr, length, data[start : start + length]


def _low_bit(dataset: Dataset, bits_allocated: int) -> int:
    """Return the lowest bit of a stored sample that is in use: 0, but for samples moved to the upper bits."""
    stored = _number(dataset, "BitsStored", bits_allocated)
    high = _number(dataset, "HighBit", stored - 1)
    return high + 1 - stored if stored <= high < bits_allocated else 0


def _number(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    """Return an element's whole number; a value that is not one counts as missing."""
    try:
        return int(cast("int", dataset.get(keyword)))
    except Exception:  # noqa: BLE001  # pydicom converts on access and raises many kinds on garbage
        if default is None:
            raise VideoError(
                VideoErrorCode.UNREADABLE_DICOM, f"{keyword} is missing from the header or not a number"
            ) from None
        return default


def _check(header: Header, max_pixels: int) -> None:
    if header.rows < 1 or header.columns < 1:
        raise VideoError(VideoErrorCode.UNREADABLE_DICOM, "Rows or Columns is 0")
    if header.rows * header.columns > max_pixels:
        raise VideoError(
            VideoErrorCode.TOO_LARGE,
            f"frames of {header.columns} x {header.rows} pixels are over the limit of {max_pixels} pixels",
        )
    samples, allocated, stored = header.samples, header.bits_allocated, header.bits_stored
    if samples not in (1, 3) or allocated not in (8, 16) or not 1 <= stored <= allocated:
        raise VideoError(
            VideoErrorCode.UNSUPPORTED_PIXELS,
            f"{samples} samples per pixel of {stored} bits in {allocated}; only 1 or 3 samples in 8 or 16 are read",
        )
