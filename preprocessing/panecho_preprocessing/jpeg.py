"""JPEG Baseline frames (transfer syntax 1.2.840.10008.1.2.4.50), decoded by OpenCV's libjpeg-turbo."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from panecho_preprocessing.encapsulated import EncodedFrame
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Frame
from panecho_preprocessing.header import Header

_START_OF_IMAGE = b"\xff\xd8"
_END_OF_IMAGE = b"\xff\xd9"
_START_OF_SCAN = 0xFFDA
_JFIF = 0xFFE0
_ADOBE = 0xFFEE
# Every SOFn; C4, C8 and CC in that range mean other things (ITU-T T.81 table B.1).
_START_OF_FRAME = {*range(0xFFC0, 0xFFD0)} - {0xFFC4, 0xFFC8, 0xFFCC}

# APP14 "Adobe", version 100, no flags, transform 0: the components are red, green and blue as they stand.
_NO_COLOUR_TRANSFORM = struct.pack(">HH5sHHHB", _ADOBE, 14, b"Adobe", 100, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Stream:
    """What a JPEG stream says of itself before its pixels begin."""

    rows: int
    columns: int
    components: bytes
    names_its_colours: bool


def starts_frame(fragment: memoryview) -> bool:
    """Whether a fragment is the first of a frame: within a frame no fragment can begin with these two bytes."""
    return bytes(fragment[:2]) == _START_OF_IMAGE


def decode(encoded: EncodedFrame, header: Header) -> Frame:
    """Decode one frame. The stream's own account of its colours goes before the header's, as in pydicom.

    Args:
        encoded: the frame's fragments.
        header: what the file says of all frames.

    Returns:
        uint8 [rows, columns] or [rows, columns, 3] in BGR order.

    Raises:
        VideoError: SIZE_MISMATCH, UNSUPPORTED_PIXELS or CORRUPT_FRAME.
    """
    data = encoded[0] if len(encoded) == 1 else memoryview(b"".join(encoded))
    stream = _read_stream(data)
    _check(stream, header)
    # libjpeg pads a stream that ends early with grey, and does not say so. The padding of a fragment may follow.
    if _END_OF_IMAGE not in bytes(data[-64:]):
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "a JPEG frame is cut off")
    if header.photometric == "RGB" and len(stream.components) == 3 and not stream.names_its_colours:
        data = memoryview(b"".join((data[:2], _NO_COLOUR_TRANSFORM, data[2:])))
    colour = cv2.IMREAD_COLOR if len(stream.components) == 3 else cv2.IMREAD_GRAYSCALE
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), colour | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "a JPEG frame cannot be decoded")
    frame = np.asarray(decoded, dtype=np.uint8)
    return ~frame if header.photometric == "MONOCHROME1" and frame.ndim == 2 else frame


def _read_stream(data: memoryview) -> _Stream:
    segments: dict[int, memoryview] = {}
    for marker, segment in _segments(data):
        segments.setdefault(marker, segment)  # of several alike the first counts: JFIF comes before its extensions
    frame = next((segments[marker] for marker in segments if marker in _START_OF_FRAME), None)
    if frame is None:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "no JPEG stream is where a frame should be")
    rows, columns = struct.unpack_from(">HH", frame, 1)
    components = bytes(frame[6::3])
    marked = bytes(segments.get(_JFIF, b"")[:5]) == b"JFIF\0" or bytes(segments.get(_ADOBE, b"")[:5]) == b"Adobe"
    return _Stream(rows, columns, components, marked or components == b"RGB")


def _segments(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Walk the marker segments before the first scan (ITU-T T.81 B.1.1)."""
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


def _check(stream: _Stream, header: Header) -> None:
    if (stream.rows, stream.columns) != (header.rows, header.columns):
        raise VideoError(
            VideoErrorCode.SIZE_MISMATCH,
            f"the JPEG frame is {stream.columns} x {stream.rows} pixels, "
            f"the header says {header.columns} x {header.rows}",
        )
    if len(stream.components) not in (1, 3):
        raise VideoError(
            VideoErrorCode.UNSUPPORTED_PIXELS,
            f"the JPEG frame has {len(stream.components)} components; only 1 and 3 are read",
        )
