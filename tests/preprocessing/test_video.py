from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from panecho_preprocessing import ClipOptions, Limits, VideoError, video_clips
from panecho_preprocessing.frames import WrongFrameCountError
from panecho_preprocessing.sampling import clip_starts
from panecho_preprocessing.video import VideoFile

Expected = Callable[..., NDArray[np.uint8]]


def write_video(path: Path, fourcc: str, frames: NDArray[np.uint8]) -> bytes:
    size = (frames.shape[2], frames.shape[1])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), 30, size)
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path.read_bytes()


def plain_opencv(path: Path) -> list[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(path))
    frames: list[NDArray[np.uint8]] = []
    while True:
        read, frame = capture.read()
        if not read:
            return frames
        frames.append(np.asarray(frame, dtype=np.uint8))


@pytest.mark.parametrize(("name", "fourcc"), [("a.avi", "MJPG"), ("a.mp4", "mp4v"), ("a.avi", "XVID")])
def test_clips_equal_plain_opencv_reading(
    name: str, fourcc: str, tmp_path: Path, bgr: NDArray[np.uint8], expected: Expected
) -> None:
    data = write_video(tmp_path / name, fourcc, bgr)
    frames = plain_opencv(tmp_path / name)
    assert len(frames) == 30
    np.testing.assert_array_equal(video_clips(data, ClipOptions()), expected(frames, [0, 3, 9, 12]))


@pytest.mark.parametrize(("name", "fourcc"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
def test_frames_far_apart_are_exact(name: str, fourcc: str, tmp_path: Path, bgr: NDArray[np.uint8]) -> None:
    data = write_video(tmp_path / name, fourcc, np.concatenate([bgr] * 7))
    frames = plain_opencv(tmp_path / name)
    wanted = [0, 1, 34, 35, 100, 101, 133, 208, 209]
    for index, frame in zip(wanted, VideoFile(memoryview(data), Limits()).frames(wanted), strict=True):
        np.testing.assert_array_equal(frame, frames[index])


def test_a_video_can_be_read_twice(tmp_path: Path, bgr: NDArray[np.uint8]) -> None:
    video = VideoFile(memoryview(write_video(tmp_path / "a.avi", "MJPG", bgr)), Limits())
    first, second = list(video.frames([3, 9])), list(video.frames([3, 9]))
    np.testing.assert_array_equal(first, second)


def test_starts_are_planned_with_the_frames_that_are_there(
    shared: Callable[[str], bytes], tmp_path: Path, expected: Expected
) -> None:
    data = shared("mpeg2_sample_83claimed_78read.mpeg")
    (tmp_path / "a.mpeg").write_bytes(data)
    frames = plain_opencv(tmp_path / "a.mpeg")
    assert (len(frames), cv2.VideoCapture(str(tmp_path / "a.mpeg")).get(cv2.CAP_PROP_FRAME_COUNT)) == (78, 83)
    np.testing.assert_array_equal(video_clips(data, ClipOptions()), expected(frames, [0, 21, 41, 62]))
    np.testing.assert_array_equal(video_clips(data, ClipOptions(num_clips=1)), expected(frames, [31]))


@pytest.mark.parametrize(("repeats", "cut"), [(1, 0.8), (6, 0.5)])
def test_a_cut_off_avi_gives_the_frames_before_the_cut(
    repeats: int, cut: float, tmp_path: Path, bgr: NDArray[np.uint8], expected: Expected
) -> None:
    data = write_video(tmp_path / "a.avi", "MJPG", np.concatenate([bgr] * repeats))
    data = data[: int(len(data) * cut)]
    (tmp_path / "cut.avi").write_bytes(data)
    frames = plain_opencv(tmp_path / "cut.avi")
    assert 0.4 < len(frames) / (30 * repeats) < 0.9
    options = ClipOptions(num_clips=2)
    starts = clip_starts(len(frames), options).tolist()
    np.testing.assert_array_equal(video_clips(data, options), expected(frames, starts))


@pytest.mark.parametrize("repeats", [1, 6])
def test_frames_that_do_not_decode_at_the_end_do_not_count(
    repeats: int, tmp_path: Path, bgr: NDArray[np.uint8], expected: Expected
) -> None:
    data = bytearray(write_video(tmp_path / "a.avi", "MJPG", np.concatenate([bgr] * repeats)))
    position, index = data.index(b"movi") + 4, 0
    while data[position : position + 4] == b"00dc":
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if index >= 30 * repeats - 5:
            data[position + 8 : position + 8 + size] = bytes(size)
        position, index = position + 8 + size + size % 2, index + 1
    (tmp_path / "bad.avi").write_bytes(data)
    frames = plain_opencv(tmp_path / "bad.avi")
    assert (index, len(frames)) == (30 * repeats, 30 * repeats - 5)
    with pytest.raises(WrongFrameCountError):
        list(VideoFile(memoryview(data), Limits()).frames([len(frames)]))
    starts = clip_starts(len(frames), ClipOptions(num_clips=2)).tolist()
    np.testing.assert_array_equal(video_clips(bytes(data), ClipOptions(num_clips=2)), expected(frames, starts))


def test_one_frame_is_not_a_cine(tmp_path: Path, bgr: NDArray[np.uint8]) -> None:
    data = write_video(tmp_path / "a.avi", "MJPG", bgr[:1])
    with pytest.raises(VideoError, match=r"^NOT_A_CINE: a still of 1 frame"):
        video_clips(data, ClipOptions())


def test_an_mp4_without_its_index_is_unreadable(tmp_path: Path, bgr: NDArray[np.uint8]) -> None:
    data = write_video(tmp_path / "a.mp4", "mp4v", bgr)
    with pytest.raises(VideoError, match=r"^UNREADABLE_VIDEO: FFmpeg cannot open the file; is it cut off"):
        video_clips(data[: len(data) // 2], ClipOptions())


@pytest.mark.parametrize("head", [b"RIFF\x00\x10\x00\x00AVI ", b"\x00\x00\x00\x1cftypisom", b"\x00\x00\x01\xba"])
def test_junk_behind_a_good_start_is_unreadable(head: bytes) -> None:
    junk = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    with pytest.raises(VideoError, match=r"^UNREADABLE_VIDEO: "):
        video_clips(head + junk, ClipOptions())


def test_a_playlist_inside_an_avi_shell_is_not_followed(tmp_path: Path, bgr: NDArray[np.uint8]) -> None:
    write_video(tmp_path / "inner.avi", "MJPG", bgr)
    playlist = f"\n#EXTM3U\n#EXTINF:1,\n{tmp_path}/inner.avi\n#EXT-X-ENDLIST\n"
    with pytest.raises(VideoError, match=r"^UNREADABLE_VIDEO: "):
        video_clips(b"RIFFaaaaAVI " + playlist.encode(), ClipOptions())


def test_frames_over_the_pixel_limit_are_refused(tmp_path: Path) -> None:
    data = write_video(tmp_path / "a.avi", "MJPG", np.zeros((2, 2176, 4096, 3), dtype=np.uint8))
    with pytest.raises(VideoError, match=r"^TOO_LARGE: frames of 4096 x 2176 pixels"):
        video_clips(data, ClipOptions())


def test_a_video_without_end_is_refused(tmp_path: Path) -> None:
    limit = Limits().max_video_frames
    frames = np.zeros((limit + 1, 16, 16, 3), dtype=np.uint8)
    with pytest.raises(VideoError, match=f"^TOO_LARGE: the video has more than {limit} frames"):
        video_clips(write_video(tmp_path / "a.avi", "MJPG", frames), ClipOptions())


def test_nothing_stays_open(tmp_path: Path, bgr: NDArray[np.uint8]) -> None:
    data = write_video(tmp_path / "a.avi", "MJPG", bgr)
    video_clips(data, ClipOptions())
    before = len(list(Path("/proc/self/fd").iterdir()))
    video_clips(data, ClipOptions())
    with pytest.raises(VideoError):
        video_clips(b"RIFF\x00\x10\x00\x00AVI ", ClipOptions())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("level", [0, 128])
def test_frames_of_one_level_are_blank(level: int, tmp_path: Path) -> None:
    data = write_video(tmp_path / "a.avi", "MJPG", np.full((20, 64, 64, 3), level, np.uint8))
    with pytest.raises(VideoError, match=rf"^BLANK: every frame is one grey level, {level} of 255"):
        video_clips(data, ClipOptions())


def test_a_recording_in_which_nothing_moves_is_frozen(tmp_path: Path) -> None:
    still = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    frames = np.repeat(still[None], 20, axis=0)
    data = write_video(tmp_path / "a.avi", "MJPG", frames)
    with pytest.raises(VideoError, match=r"^FROZEN: nothing moves in 20 frames"):
        video_clips(data, ClipOptions())
    frames[17] = 255 - frames[17]
    video_clips(write_video(tmp_path / "b.avi", "MJPG", frames), ClipOptions())
    video_clips(data, ClipOptions(num_clips=1, clip_length=2))  # two equal frames prove nothing
