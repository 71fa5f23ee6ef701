"""What a video's container says: time stamps, turned frames, the codec; QuickTime without ftyp."""

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from panecho_preprocessing import ClipOptions, Limits, VideoError, video_clips
from panecho_preprocessing.video import VideoFile

DATA = Path(__file__).parents[1] / "data"
ONE = 1 << 16


@pytest.fixture(scope="module")
def mp4() -> bytes:
    return (DATA / "sonosite_h264.mp4").read_bytes()


def frames_of_video(data: bytes, indices: list[int]) -> list[NDArray[np.uint8]]:
    return list(VideoFile(memoryview(data), Limits()).frames(indices))


def with_matrix(data: bytes, a: int, b: int, c: int, d: int) -> bytes:
    at = data.index(b"tkhd") + 44
    matrix = struct.pack(">9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)
    return data[:at] + matrix + data[at + 36 :]


def test_frames_are_taken_by_their_own_times(field: Callable[[str], bytes]) -> None:
    options = ClipOptions(frame_rate=10, num_clips=1, clip_length=40)
    clip = video_clips(field("variable_frame_rate.mp4"), options)[0]
    levels = clip[:, 112:, 112:].mean(axis=(1, 2, 3))
    frames = ((levels - 20) / 3).round().astype(int)
    assert frames.tolist() == [*range(0, 30, 3), *range(30, 60)]


@pytest.mark.parametrize("name", ["sonosite_h264.mp4", "sonosite_hevc.mp4", "sonosite_mpeg2.ts"])
def test_a_steady_video_has_steady_times(name: str) -> None:
    video = VideoFile(memoryview((DATA / name).read_bytes()), Limits())
    assert video.seconds is not None
    np.testing.assert_allclose(video.seconds, np.arange(30) / 30, atol=0.0006)


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((1, 0, 0, 1), lambda frame: frame),
        ((0, 1, -1, 0), lambda frame: np.rot90(frame, -1)),
        ((-1, 0, 0, -1), lambda frame: np.rot90(frame, 2)),
        ((0, -1, 1, 0), np.rot90),
        ((-1, 0, 0, 1), lambda frame: frame[:, ::-1]),
        ((1, 0, 0, -1), lambda frame: frame[::-1]),
        ((0, 1, 1, 0), lambda frame: frame.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda frame: np.rot90(frame, 2).swapaxes(0, 1)),
    ],
)
def test_frames_are_turned_as_the_container_says(
    matrix: tuple[int, int, int, int], turn: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], mp4: bytes
) -> None:
    (expected,) = frames_of_video(mp4, [7])
    data = with_matrix(mp4, *matrix)
    (found,) = frames_of_video(data, [7])
    np.testing.assert_array_equal(found, turn(expected))
    assert VideoFile(memoryview(data), Limits()).size == found.shape[:2]


def test_another_angle_is_refused(mp4: bytes) -> None:
    at = mp4.index(b"tkhd") + 44
    slanted = mp4[:at] + struct.pack(">5i", ONE // 2, ONE // 2, 0, -ONE // 2, ONE // 2) + mp4[at + 20 :]
    with pytest.raises(VideoError, match=r"^UNREADABLE_VIDEO: the file says to turn its frames by other than quarter"):
        video_clips(slanted, ClipOptions())


def test_av1_is_named_with_what_to_convert_to(field: Callable[[str], bytes]) -> None:
    with pytest.raises(VideoError) as refused:
        video_clips(field("av1.mp4"), ClipOptions())
    assert str(refused.value) == "UNSUPPORTED_CODEC: the video codec AV1 (av01) is not read; convert to H.264 in MP4"


@pytest.mark.parametrize(
    ("code", "name"), [("vvc1", "H.266/VVC (vvc1)"), ("encv", "encrypted video (encv)"), ("zzzz", "zzzz")]
)
def test_other_codecs_are_named(code: str, name: str, mp4: bytes) -> None:
    with pytest.raises(VideoError) as refused:
        video_clips(mp4.replace(b"avc1\0\0\0\0", code.encode() + bytes(4)), ClipOptions())
    assert str(refused.value) == f"UNSUPPORTED_CODEC: the video codec {name} is not read; convert to H.264 in MP4"


def test_no_line_of_the_log_for_each_frame() -> None:
    program = (
        "import sys; from panecho_preprocessing import ClipOptions, video_clips, VideoError\n"
        "try: video_clips(open(sys.argv[1], 'rb').read(), ClipOptions())\n"
        "except VideoError as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(DATA / "field" / "av1.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.startswith("UNSUPPORTED_CODEC: ")
    assert len(done.stderr.splitlines()) < 5


@pytest.mark.parametrize("box", [b"wide", b"free", b"skip"])
def test_quicktime_without_ftyp(box: bytes, mp4: bytes) -> None:
    data = mp4[:4] + box + mp4[8:]
    np.testing.assert_array_equal(video_clips(data, ClipOptions()), video_clips(mp4, ClipOptions()))


def test_quicktime_that_starts_with_its_media(mp4: bytes) -> None:
    """Move the index behind the media, as scanners of the time did: offsets of the samples shrink by its size."""
    ftyp, moov = int.from_bytes(mp4[:4], "big"), mp4.index(b"moov") - 4
    end = moov + int.from_bytes(mp4[moov : moov + 4], "big")
    index = bytearray(mp4[moov:end])
    assert moov == ftyp
    table = index.index(b"stco")
    (count,) = struct.unpack_from(">I", index, table + 8)
    offsets = struct.unpack_from(f">{count}I", index, table + 12)
    struct.pack_into(f">{count}I", index, table + 12, *(offset - end for offset in offsets))
    data = mp4[end:] + bytes(index)
    assert data[4:8] in (b"free", b"mdat")
    np.testing.assert_array_equal(video_clips(data, ClipOptions()), video_clips(mp4, ClipOptions()))
