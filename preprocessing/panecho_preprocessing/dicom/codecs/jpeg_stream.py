"""The marker segments of a JPEG or JPEG-LS stream before its pixels (ITU-T T.81 annex B, T.87 annex C)."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from panecho_preprocessing.dicom.codecs.codec import check_size
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode

_START_OF_IMAGE = b"\xff\xd8"
_END_OF_IMAGE = b"\xff\xd9"
_START_OF_SCAN = 0xFFDA
# Within a scan FF is followed by 00 (by less than 80 in JPEG-LS), by a restart marker, or by another FF that fills.
_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
# Tables, scans, comments and applications' data may stand between scans (T.81 B.2.1).
_BETWEEN_SCANS = {0xC4, 0xCC, *range(0xDA, 0xDE), *range(0xE0, 0xF0), 0xF8, 0xFE}
_TAIL = 64  # bytes in which an end marker is found without walking through the stream
_JFIF = 0xFFE0
_ADOBE = 0xFFEE
_JPEG_LS = 0xFFF7
# Every SOFn; C4, C8 and CC in that range mean other things (T.81 table B.1).
_START_OF_FRAME = {*range(0xFFC0, 0xFFD0), _JPEG_LS} - {0xFFC4, 0xFFC8, 0xFFCC}
_DCT = {0xFFC0, 0xFFC1, 0xFFC2}  # baseline, extended sequential, progressive


@dataclass(frozen=True, slots=True)
class JpegStream:
    """One frame's stream.

    Attributes:
        data: the stream, without bytes that follow its end marker.
        is_dct: False for the lossless processes and for JPEG-LS.
        precision: bits of a sample.
        rows: height of the frame.
        columns: width of the frame.
        components: the name of each component.
        names_its_colours: whether a marker, or the components' names, tell RGB from YCbCr.
        scan: position of the first scan.
    """

    data: memoryview
    is_dct: bool
    precision: int
    rows: int
    columns: int
    components: bytes
    names_its_colours: bool
    scan: int


def starts_frame(fragment: memoryview) -> bool:
    """Whether a fragment is the first of a frame: within a frame no fragment can start with these two bytes."""
    return bytes(fragment[:2]) == _START_OF_IMAGE


def is_jpegls(data: memoryview) -> bool:
    """Whether a stream is JPEG-LS and not JPEG."""
    return any(marker == _JPEG_LS for marker, _, _ in _segments(data))


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
    return replace(stream, data=complete(data, stream.scan))


def complete(data: memoryview, scan: int) -> memoryview:
    """Return a stream without the bytes after its end marker; there may be any number of them.

    Args:
        data: the stream.
        scan: where its first scan starts.

    Raises:
        VideoError: CORRUPT_FRAME for a stream without an end marker; decoders would fill the rest with grey.
    """
    tail = max(scan, len(data) - _TAIL)
    if _END_OF_IMAGE in bytes(data[tail:]):
        return data
    while found := _MARKER.search(data, scan):
        marker, position = data[found.start() + 1], found.start()
        if marker == _END_OF_IMAGE[1]:
            return data[: position + 2]
        if marker not in _BETWEEN_SCANS or position + 4 > len(data):
            break
        scan = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
    raise VideoError(VideoErrorCode.CORRUPT_FRAME, "the compressed frame is cut off")


def _parse(data: memoryview) -> JpegStream:
    segments: dict[int, memoryview] = {}
    scan = 2
    for marker, start, end in _segments(data):
        segments.setdefault(marker, data[start:end])  # of several alike the first counts: JFIF is before its extensions
        scan = end
    start_of_frame = next((marker for marker in segments if marker in _START_OF_FRAME), 0)
    segment = segments.get(start_of_frame, memoryview(b""))
    if len(segment) < 6:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "no JPEG stream is where a frame should be")
    precision, rows, columns = struct.unpack_from(">BHH", segment)
    components = bytes(segment[6::3])
    marked = bytes(segments.get(_JFIF, b"")[:5]) == b"JFIF\0" or bytes(segments.get(_ADOBE, b"")[:5]) == b"Adobe"
    return JpegStream(
        data, start_of_frame in _DCT, precision, rows, columns, components, marked or components == b"RGB", scan
    )


def _segments(data: memoryview) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment before the first scan (T.81 B.1.1)."""
    position = 2
    while position + 4 <= len(data):
        marker, length = struct.unpack_from(">HH", data, position)
        if marker == 0xFFFF:  # a fill byte
            position += 1
            continue
        if marker == _START_OF_SCAN or marker < 0xFF01 or length < 2:
            return
        yield marker, position + 4, position + 2 + length
        position += 2 + length
