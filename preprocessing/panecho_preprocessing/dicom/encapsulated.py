"""Compressed pixel data: finds the fragments of each frame (DICOM PS3.5 A.4)."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode

# One compressed frame: its fragments, in order.
EncodedFrame: TypeAlias = list[memoryview]

_ITEM = b"\xfe\xff\x00\xe0"


class _Item(NamedTuple):
    position: int
    value: memoryview


def split_frames(header: Header, starts_frame: Callable[[memoryview], bool]) -> list[EncodedFrame]:
    """Find every complete frame in one walk over the fragments' headers, without copying.

    Offset tables and NumberOfFrames are often missing and sometimes wrong, so each is used only where it agrees with
    the fragments; otherwise a frame starts wherever `starts_frame` recognises one.

    Args:
        header: a file with compressed pixel data.
        starts_frame: whether a fragment is the first of a frame of this compression.

    Returns:
        The fragments of each frame. Fragments cut off by the end of the file are left out.
    """
    table, *fragments = list(_items(header.pixels)) or [_Item(0, memoryview(b""))]
    starts = _frame_starts(header, table, fragments, starts_frame)
    bounds = itertools.pairwise([*starts, len(fragments)])
    return [[item.value for item in fragments[start:end]] for start, end in bounds]


def concatenate(header: Header) -> memoryview:
    """Return all fragments joined: the stream of a video, which is not divided into frames."""
    return joined([item.value for item in _items(header.pixels)][1:])


def first_fragment(header: Header) -> memoryview | None:
    """Return the first fragment with content, after the offset table; None if the pixel data is not items."""
    return next((item.value for item in itertools.islice(_items(header.pixels), 1, None) if item.value), None)


def check_frame_count(header: Header, found: int) -> None:
    """Refuse several images for each declared frame: they are slices of volumes, or the header is of another file.

    A count that is otherwise wrong is corrected by the frames, each of which states its size.
    """
    declared = header.declared_frames or 1
    if found != declared and (header.is_private or (declared > 1 and found % declared == 0)):
        raise VideoError(
            VideoErrorCode.SIZE_MISMATCH,
            f"the header says {declared} frame(s), the file holds {found} images: a 3D volume? correct the header",
        )


def joined(fragments: EncodedFrame) -> memoryview:
    """Return fragments joined; a single one, as most frames have, is not copied."""
    return fragments[0] if len(fragments) == 1 else memoryview(b"".join(fragments))


def _items(data: memoryview) -> Iterator[_Item]:
    """Yield the items up to the delimiter, or to the end of the data, or to what is not an item."""
    position = 0
    while position + 8 <= len(data):
        if bytes(data[position : position + 4]) != _ITEM and bytes(data[position + 1 : position + 5]) == _ITEM:
            position += 1  # the pad of a fragment whose odd length does not count it
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        start, end = position + 8, position + 8 + length
        if bytes(data[position : position + 4]) != _ITEM or end > len(data):
            return
        yield _Item(position, data[start:end])
        position = end


def _frame_starts(
    header: Header, table: _Item, fragments: Sequence[_Item], starts_frame: Callable[[memoryview], bool]
) -> list[int]:
    """Return the numbers of the fragments that start a frame."""
    first = table.position + 8 + len(table.value)  # offsets in both tables count from here (PS3.3 C.7.6.3.1.8)
    extended = header.dataset.get("ExtendedOffsetTable") or b""
    for offsets in (_offsets(extended, "<u8"), _offsets(table.value, "<u4")):
        starts = _starts_at(offsets, first, fragments)
        if starts and len(starts) == header.declared_frames:
            return starts
    if len(fragments) == header.declared_frames:
        return list(range(len(fragments)))
    return [index for index, fragment in enumerate(fragments) if starts_frame(fragment.value)]


def _offsets(table: bytes | memoryview, dtype: str) -> list[int]:
    whole = len(table) - len(table) % np.dtype(dtype).itemsize
    return [int(offset) for offset in np.frombuffer(table[:whole], dtype)]


def _starts_at(offsets: Sequence[int], first: int, fragments: Sequence[_Item]) -> list[int] | None:
    """Convert byte offsets to fragment numbers; None if a fragment does not start at each of them."""
    number = {fragment.position - first: index for index, fragment in enumerate(fragments)}
    starts = [number[offset] for offset in offsets if offset in number]
    ascending = all(earlier < later for earlier, later in itertools.pairwise(starts))
    return starts if starts and len(starts) == len(offsets) and starts[0] == 0 and ascending else None
