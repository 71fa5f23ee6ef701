"""Reads MJPEG in AVI a frame at a time: FFmpeg is given a file of the frames asked for, and no other.

Every frame of MJPEG stands alone, and FFmpeg decodes it as it would in the whole file: the pixels are the same. What
is saved is the seeking, which decodes frames before the one asked for, and the counting. EchoNet's videos are of this
kind.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["MjpegFrames", "find_mjpeg_frames"]

_CODECS: Final = {b"MJPG", b"mjpg"}
_VIDEO_CHUNKS: Final = {b"00dc", b"00db"}
_OTHER_CHUNKS: Final = {b"JUNK", b"idx1"}
_CHUNK: Final = struct.Struct("<4sI")
_ENTRY: Final = np.dtype([("kind", "S4"), ("flags", "<u4"), ("start", "<u4"), ("size", "<u4")])
_STREAM: Final = struct.Struct("<4s4sIHHIII")


class MjpegFrames(NamedTuple):
    """Where the frames of a file are.

    Attributes:
        header: the file from its start to its first frame's list.
        places: int64 [frames, 2], first byte and size of each frame's JPEG.
        rate: frames per second.
    """

    header: memoryview
    places: NDArray[np.int64]
    rate: float

    def of(self, data: memoryview, indices: list[int]) -> bytes | None:
        """Return an AVI of some of the frames; None if one of them is not where the index says."""
        chunks: list[bytes | memoryview] = []
        for start, size in self.places[indices].tolist():
            kind, stored = _CHUNK.unpack_from(data, start - 8)
            if kind not in _VIDEO_CHUNKS or stored != size:
                return None
            chunks += [b"00dc", struct.pack("<I", size), data[start : start + size], b"\0" * (size % 2)]
        frames = b"".join((b"movi", *chunks))
        body = b"".join((self.header[8:], b"LIST", struct.pack("<I", len(frames)), frames))
        return b"".join((b"RIFF", struct.pack("<I", len(body)), body))


def find_mjpeg_frames(data: memoryview) -> MjpegFrames | None:
    """Find the frames of a plain AVI with one MJPEG stream; None for any other file, which FFmpeg has to read whole.

    Plain is: one RIFF that is as long as the file, no index of other places, no empty frame, no sound.
    """
    try:
        return _found(data)
    except (struct.error, IndexError):
        return None


def _found(data: memoryview) -> MjpegFrames | None:
    if bytes(data[:4]) != b"RIFF" or bytes(data[8:12]) != b"AVI " or _size(data, 4) + 8 != len(data):
        return None
    start = 12
    while bytes(data[start : start + 4]) != b"LIST" or bytes(data[start + 8 : start + 12]) != b"movi":
        if bytes(data[start : start + 4]) not in (b"LIST", b"JUNK"):
            return None
        start += 8 + _even(_size(data, start + 4))
    header = data[:start]
    rate = _rate(bytes(header))
    stop = start + 8 + _size(data, start + 4)
    if not rate or stop > len(data):
        return None
    indexed = _indexed(data, start + 8, stop + stop % 2)
    places = np.array(list(_places(data, start + 12, stop)), np.int64).reshape(-1, 2) if indexed is None else indexed
    if not len(places) or not places[:, 1].all():
        return None
    return MjpegFrames(header, places, rate)


def _indexed(data: memoryview, movi: int, index: int) -> NDArray[np.int64] | None:
    """Return the places that the file's index gives; None without an index, or one that does not fit the frames."""
    if bytes(data[index : index + 4]) != b"idx1" or index + 8 + _size(data, index + 4) > len(data):
        return None
    entries = np.frombuffer(data, _ENTRY, _size(data, index + 4) // _ENTRY.itemsize, index + 8)
    if not len(entries) or not np.isin(entries["kind"], list(_VIDEO_CHUNKS)).all():
        return None
    starts = entries["start"].astype(np.int64)
    starts += movi if starts[0] < movi else 0  # some count from the list of frames, some from the file's start
    ends = starts + 8 + entries["size"]
    for number in (0, -1):
        if (
            starts[number] + 8 > len(data)
            or _CHUNK.unpack_from(data, int(starts[number]))[1] != entries["size"][number]
        ):
            return None
    if (np.diff(starts) <= 0).any() or ends.max() > index:
        return None
    places: NDArray[np.int64] = np.stack((starts + 8, entries["size"].astype(np.int64)), axis=1)
    return places


def _places(data: memoryview, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield where each frame is; one of size 0 stands for what is not plain."""
    while start + 8 <= stop:
        kind, size = _CHUNK.unpack_from(data, start)
        if kind in _VIDEO_CHUNKS and start + 8 + size <= stop:
            yield start + 8, size
        elif kind not in _OTHER_CHUNKS:
            yield 0, 0
            return
        start += 8 + size + size % 2


def _rate(header: bytes) -> float:
    """Return the frames per second of a header's only stream; 0 if it is not one MJPEG stream without an index."""
    place = header.find(b"strh")
    if header.count(b"strh") != 1 or b"indx" in header:
        return 0
    kind, codec, _, _, _, _, scale, rate = _STREAM.unpack_from(header, place + 8)
    return rate / scale if kind == b"vids" and codec in _CODECS and scale else 0


def _size(data: memoryview, place: int) -> int:
    return int(struct.unpack_from("<I", data, place)[0])


def _even(size: int) -> int:
    return size + size % 2
