"""The two facts of an MP4 or QuickTime file that OpenCV does not report: its codec, and how its frames are turned.

Boxes are those of ISO/IEC 14496-12; whatever is not as expected counts as missing.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

_ONE = 1 << 16  # matrices are fixed-point numbers
_UNTURNED = (1.0, 0.0, 0.0, 1.0)
_MAX_BOXES = 10_000


class VideoTrack(NamedTuple):
    """The first video track of a file.

    Attributes:
        codec: four-character code of its samples, "" where it is missing.
        turn: a, b, c and d of its matrix: a stored pixel (x, y) is shown at (a x + c y, b x + d y).
    """

    codec: str = ""
    turn: tuple[float, float, float, float] = _UNTURNED


def read_video_track(data: memoryview) -> VideoTrack:
    """Return the codec and the turn of the first video track; the defaults where there is none."""
    try:
        for movie in _named(data, b"moov"):
            for track in _named(movie, b"trak"):
                for media in _named(track, b"mdia"):
                    if any(bytes(handler[8:12]) == b"vide" for handler in _named(media, b"hdlr")):
                        return VideoTrack(_codec(media), _turn(track))
    except struct.error:
        pass
    return VideoTrack()


def _codec(media: memoryview) -> str:
    for information in _named(media, b"minf"):
        for table in _named(information, b"stbl"):
            for descriptions in _named(table, b"stsd"):
                return bytes(descriptions[12:16]).decode("latin-1")
    return ""


def _turn(track: memoryview) -> tuple[float, float, float, float]:
    for header in _named(track, b"tkhd"):
        start = 52 if bytes(header[:1]) == b"\x01" else 40  # version 1 has times of 64 bits
        a, b, _, c, d = struct.unpack_from(">5i", header, start)
        return a / _ONE, b / _ONE, c / _ONE, d / _ONE
    return _UNTURNED


def _named(data: memoryview, name: bytes) -> Iterator[memoryview]:
    return (content for kind, content in _boxes(data) if kind == name)


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    position = 0
    for _ in range(_MAX_BOXES):
        if position + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, position)
        start = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
            start = 16
        size = size or len(data) - position  # 0: to the end of the file
        if size < start:
            return
        yield kind, data[position + start : position + size]
        position += size
