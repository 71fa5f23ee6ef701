import struct
from collections.abc import Callable

import numpy as np
import pytest
from pydicom.encaps import encapsulate, encapsulate_extended

from panecho_preprocessing.dicom.codecs import jpeg_stream
from panecho_preprocessing.dicom.encapsulated import split_frames
from support.reading import header_of

Rewrite = Callable[..., bytes]


def split(data: bytes) -> list[bytes]:
    header = header_of(data)
    return [b"".join(frame).rstrip(b"\0") for frame in split_frames(header, jpeg_stream.starts_frame)]


@pytest.fixture
def streams(jpegs: list[bytes]) -> list[bytes]:
    """Return the true streams, without the zero that pads an odd one."""
    return [stream.rstrip(b"\0") for stream in jpegs]


@pytest.mark.parametrize("has_bot", [True, False])
@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("declared", [30, None, 29, 1000])
def test_every_way_to_store_30_frames(  # noqa: PLR0917  # parameters of the test
    has_bot: bool,  # noqa: FBT001  # a parameter of the test
    fragments: int,
    declared: int | None,
    rewritten: Rewrite,
    jpegs: list[bytes],
    streams: list[bytes],
) -> None:
    pixels = encapsulate(jpegs, fragments_per_frame=fragments, has_bot=has_bot)
    assert split(rewritten(PixelData=pixels, NumberOfFrames=declared)) == streams


def test_extended_offset_table(rewritten: Rewrite, jpegs: list[bytes], streams: list[bytes]) -> None:
    pixels, offsets, lengths = encapsulate_extended(jpegs)
    data = rewritten(PixelData=pixels, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths)
    assert split(data) == streams


def test_the_extended_table_is_used_where_nothing_else_tells_frames_apart(
    rewritten: Rewrite, jpegs: list[bytes]
) -> None:
    parts = [jpegs[0][:2000], jpegs[0][2000:]]
    pixels = encapsulate([b"\0\0" + parts[0], parts[1]] * 2, has_bot=False)  # begins with no JPEG marker
    offsets = struct.pack("<2Q", 0, 2 * 8 + 2 + len(jpegs[0]))
    data = rewritten(PixelData=pixels, NumberOfFrames=2, ExtendedOffsetTable=offsets)
    assert [len(frame) for frame in split_frames(header_of(data), jpeg_stream.starts_frame)] == [2, 2]


@pytest.mark.parametrize("shift", [2, 100_000_000])
def test_a_wrong_offset_table_is_not_believed(
    shift: int, rewritten: Rewrite, jpegs: list[bytes], streams: list[bytes]
) -> None:
    pixels = bytearray(encapsulate(jpegs))
    offsets = np.frombuffer(pixels, "<u4", 30, offset=8)
    pixels[8 : 8 + 120] = (offsets + shift).astype("<u4").tobytes()
    assert split(rewritten(PixelData=bytes(pixels))) == streams


def test_a_table_of_only_the_first_frame_is_not_believed(
    rewritten: Rewrite, jpegs: list[bytes], streams: list[bytes]
) -> None:
    pixels = encapsulate(jpegs, has_bot=False)
    pixels = pixels[:4] + struct.pack("<II", 4, 0) + pixels[8:]
    assert split(rewritten(PixelData=pixels)) == streams


def test_a_fragment_that_the_file_cuts_off_does_not_count(sonosite: bytes, streams: list[bytes]) -> None:
    end_of_frame_12 = sonosite.index(streams[12]) + len(streams[12])
    assert split(sonosite[: end_of_frame_12 + 1]) == streams[:13]  # with the byte that pads the frame
    assert split(sonosite[: end_of_frame_12 - 100]) == streams[:12]
    assert split(sonosite[: end_of_frame_12 + 5]) == streams[:13]  # inside the next item's header


@pytest.mark.parametrize("pixels", [b"", b"\xfe\xff\x00\xe0\0\0\0\0", b"\1\2\3\4" * 10])
def test_no_fragments_no_frames(sonosite: bytes, pixels: bytes) -> None:
    element = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
    assert split(sonosite[: sonosite.index(element) + len(element)] + pixels) == []


def test_frames_are_not_copied(sonosite: bytes) -> None:
    frames = split_frames(header_of(sonosite), jpeg_stream.starts_frame)
    whole = np.frombuffer(sonosite, np.uint8)
    assert len(frames) == 30
    assert all(np.shares_memory(np.frombuffer(frame[0], np.uint8), whole) for frame in frames)
