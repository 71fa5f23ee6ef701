"""The marker segments of a JPEG or JPEG-LS stream before its pixels (ITU-T T.81 annex B, T.87 annex C)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from panecho_preprocessing.dicom.codecs.codec import check_size
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode

_START_OF_IMAGE = b"\xff\xd8"
_END_OF_IMAGE = b"\xff\xd9"
_START_OF_SCAN = 0xFFDA
_JFIF = 0xFFE0
_ADOBE = 0xFFEE
_JPEG_LS = 0xFFF7
# Every SOFn; C4, C8 and CC in that range mean other things (T.81 table B.1).
_START_OF_FRAME = {*range(0xFFC0, 0xFFD0), _JPEG_LS} - {0xFFC4, 0xFFC8, 0xFFCC}
_DCT = {0xFFC0, 0xFFC1, 0xFFC2}  # baseline, extended sequential, progressive


@dataclass(frozen=True, slots=True)
class JpegStream:
    """One frame's stream; `is_dct` is False for the lossless processes and for JPEG-LS."""

    data: memoryview
    is_dct: bool
    precision: int
    rows: int
    columns: int
    components: bytes
    names_its_colours: bool


def starts_frame(fragment: memoryview) -> bool:
    """Whether a fragment is the first of a frame: within a frame no fragment can start with these two bytes."""
    return bytes(fragment[:2]) == _START_OF_IMAGE


def read_stream(data: memoryview, header: Header) -> JpegStream:
    """Read a frame's stream up to its pixels and compare it with the header, before anything is decoded.

    Raises:
        VideoError: SIZE_MISMATCH, UNSUPPORTED_PIXELS or CORRUPT_FRAME.
    """
    stream = _parse(data)
    check_size(stream.rows, stream.columns, header)
    if len(stream.components) not in (1, 3):
        raise VideoError(
            VideoErrorCode.UNSUPPORTED_PIXELS,
            f"the frame has {len(stream.components)} components; only 1 and 3 are read",
        )
    check_complete(data)
    return stream


def check_complete(data: memoryview) -> None:
    """Raise CORRUPT_FRAME for a stream without its end: decoders fill the rest with grey, without an error."""
    if _END_OF_IMAGE not in bytes(data[-64:]):  # the padding of a fragment may follow
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "the compressed frame is cut off")


def _parse(data: memoryview) -> JpegStream:
    segments: dict[int, memoryview] = {}
    for marker, segment in _segments(data):
        segments.setdefault(marker, segment)  # of several alike the first counts: JFIF comes before its extensions
    start_of_frame = next((marker for marker in segments if marker in _START_OF_FRAME), 0)
    segment = segments.get(start_of_frame, memoryview(b""))
    if len(segment) < 6:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "no JPEG stream is where a frame should be")
    precision, rows, columns = struct.unpack_from(">BHH", segment)
    components = bytes(segment[6::3])
    marked = bytes(segments.get(_JFIF, b"")[:5]) == b"JFIF\0" or bytes(segments.get(_ADOBE, b"")[:5]) == b"Adobe"
    return JpegStream(
        data, start_of_frame in _DCT, precision, rows, columns, components, marked or components == b"RGB"
    )


def _segments(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the marker segments before the first scan (T.81 B.1.1)."""
    position = 2
    while position + 4 <= len(data):
        marker, length = struct.unpack_from(">HH", data, position)
        if marker == 0xFFFF:  # a fill byte
            position += 1
            continue
        if marker == _START_OF_SCAN or marker < 0xFF01 or length < 2:
            return
        yield marker, data[position + 4 : position + 2 + length]
        position += 2 + length
