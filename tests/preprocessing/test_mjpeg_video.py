"""Frames of a plain MJPEG AVI, read alone, are those of the whole file; every other file is read whole."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from panecho_preprocessing import ClipOptions, Limits, VideoError, video_clips
from panecho_preprocessing.frames import FrameReader
from panecho_preprocessing.mjpeg_avi import find_mjpeg_frames
from panecho_preprocessing.mjpeg_video import MjpegVideo, open_video
from panecho_preprocessing.video import VideoFile

Bytes = NDArray[np.uint8]
COUNT = 40


def written(path: Path, *, coloured: bool, size: tuple[int, int] = (112, 112), backend: int = cv2.CAP_ANY) -> Bytes:
    """A moving picture as MJPEG; EchoNet's videos are grey, in three equal channels."""
    random = np.random.default_rng(0)
    picture = random.integers(256, size=(*size, 3 if coloured else 1), dtype=np.uint8)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 2), np.uint8).reshape(picture.shape)
    writer = cv2.VideoWriter(str(path), backend, cv2.VideoWriter.fourcc(*"MJPG"), 50, size[::-1])
    for number in range(COUNT):
        writer.write(np.broadcast_to(np.roll(picture, 3 * number, axis=0), (*size, 3)).copy())
    writer.release()
    return np.fromfile(path, np.uint8)


def spread(frame: Bytes) -> Bytes:
    return np.broadcast_to(frame[..., None], (*frame.shape, 3)) if frame.ndim == 2 else frame


def frames_of(reader: FrameReader, indices: list[int]) -> list[Bytes]:
    return [spread(frame) for frame in reader.map(lambda frame: frame, indices, None)]


@pytest.mark.parametrize("size", [(112, 112), (97, 161)])
@pytest.mark.parametrize("kind", ["grey", "colour"])
@pytest.mark.parametrize("backend", [cv2.CAP_FFMPEG, cv2.CAP_OPENCV_MJPEG], ids=["FFmpeg's AVI", "OpenCV's AVI"])
def test_the_pixels_are_those_of_the_whole_file(tmp_path: Path, size: tuple[int, int], kind: str, backend: int) -> None:
    data = written(tmp_path / "a.avi", coloured=kind == "colour", size=size, backend=backend).data
    cine, whole = open_video(data, Limits()), VideoFile(data, Limits())
    assert isinstance(cine.reader, MjpegVideo)
    assert cine.reader.count == whole.count == COUNT
    assert whole.seconds is not None
    assert cine.seconds is not None
    np.testing.assert_allclose(cine.seconds, whole.seconds, rtol=0, atol=1e-9)
    for indices in ([0], [COUNT - 1], [3, 4, 5, 20, 39], list(range(COUNT))):
        for frame, expected in zip(frames_of(cine.reader, indices), frames_of(whole, indices), strict=True):
            np.testing.assert_array_equal(frame, expected)


def test_a_damaged_frame_harms_no_other(tmp_path: Path) -> None:
    """What FFmpeg shows of a damaged frame depends on the frame that it decoded before; the others are as they are."""
    data = written(tmp_path / "a.avi", coloured=False)
    found = find_mjpeg_frames(data.data)
    assert found is not None
    start, size = found.places[10]
    for damage in (slice(start + 2, start + size), slice(start + size // 2, start + size)):
        broken = data.copy()
        broken[damage] = 0
        assert find_mjpeg_frames(broken.data) is not None
        ours, whole = outcome(broken), outcome_of_whole(broken)
        assert (ours[:2], ours[3:]) == (whole[:2], whole[3:])


def outcome(data: Bytes) -> list[object]:
    return _outcome(open_video(data.data, Limits()).reader)


def outcome_of_whole(data: Bytes) -> list[object]:
    return _outcome(VideoFile(data.data, Limits()))


def _outcome(reader: FrameReader) -> list[object]:
    """Sums of four frames, the third of which may be damaged; or the error."""
    try:
        return [int(frame.sum()) for frame in frames_of(reader, [4, 5, 10, 11])]
    except Exception as error:  # noqa: BLE001 - whatever it is
        return [repr(error)]


def test_what_is_not_plain_is_read_whole(tmp_path: Path) -> None:
    data = written(tmp_path / "a.avi", coloured=False)
    found = find_mjpeg_frames(data.data)
    assert found is not None
    start, _ = found.places[5]
    cut, appended, other = data[: len(data) // 2], np.concatenate((data, np.zeros(8, np.uint8))), data.copy()
    place = bytes(other).find(b"MJPG")
    other[place : place + 4] = np.frombuffer(b"XVID", np.uint8)
    for changed in (cut, appended, other, data[:10], data[:0]):
        assert find_mjpeg_frames(changed.data) is None
    empty, sound, without_index = (data.copy() for _ in range(3))
    empty[start - 4 : start] = np.frombuffer(struct.pack("<I", 0), np.uint8)
    sound[start - 8 : start - 4] = np.frombuffer(b"01wb", np.uint8)
    place = bytes(data).rfind(b"idx1")
    without_index[place : place + 4] = np.frombuffer(b"JUNK", np.uint8)
    for changed in (empty, sound, without_index):
        assert outcome(changed) == outcome_of_whole(changed)


def test_limits_hold(tmp_path: Path) -> None:
    data = written(tmp_path / "a.avi", coloured=False)
    with pytest.raises(VideoError, match="TOO_LARGE: the video has more than 39 frames"):
        video_clips(data, ClipOptions(), limits=Limits(max_video_frames=39))
    with pytest.raises(VideoError, match="TOO_LARGE: frames of 112 x 112 pixels"):
        video_clips(data, ClipOptions(), limits=Limits(max_frame_pixels=100))
