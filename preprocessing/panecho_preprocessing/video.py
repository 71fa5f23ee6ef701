"""Reads AVI, MP4 and MPEG with OpenCV's FFmpeg."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Frame, T, WrongFrameCountError
from panecho_preprocessing.limits import Limits
from panecho_preprocessing.mp4_boxes import read_video_track

# FFmpeg would write a line for every frame that it cannot decode; the status says what is wrong. Read at its first use.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

# What this FFmpeg decodes of what devices write: a file of these that cannot be read is damaged, any other is foreign.
_DECODED: Final = {
    *("avc1", "avc3", "h264", "x264", "hev1", "hvc1", "hevc", "mp4v", "fmp4", "xvid", "divx", "dx50", "mjpg", "jpeg"),
    *("mpg1", "mpg2", "mpeg", "m2v1", "vp08", "vp09", "vp80", "vp90", "s263", "h263", "png", "raw", "wmv3", "wvc1"),
}
_NAMES: Final = {"av01": "AV1", "vvc1": "H.266/VVC", "vvi1": "H.266/VVC", "evc1": "EVC", "encv": "encrypted video"}

# OpenCV seeks by decoding 16 frames or so before the one asked for; under about twice that, walking is faster.
_SEEK_GAP = 32


class VideoFile:
    """A video's frames. The bytes are kept in an anonymous file in memory: nothing is written to disk.

    Attributes:
        count: number of frames.
        size: rows and columns of a frame.
        seconds: float64 [count], time of each frame from the first; None where the file holds no times.

    Raises:
        VideoError: UNREADABLE_VIDEO, UNSUPPORTED_CODEC or TOO_LARGE.
    """

    def __init__(self, data: memoryview, limits: Limits) -> None:
        self._file = os.fdopen(os.memfd_create("video"), "wb", buffering=0)
        try:
            _write_all(self._file.fileno(), data)
            self._track = read_video_track(data)
            with self._opened() as capture:
                self.size = self._frame_size(capture, limits.max_frame_pixels)
                self.count, self.seconds = _count_packets(capture, limits.max_video_frames)
        except BaseException:
            self.close()
            raise

    def map(self, function: Callable[[Frame], T], indices: Sequence[int], _executor: Executor | None) -> Iterator[T]:
        """Decode one frame after the other, as the stream requires; see `FrameReader.map`."""
        return map(function, self.frames(indices))

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Decode `indices` in order; frames between them are decoded too, but not converted to pixels."""
        with self._opened() as capture:
            seekable = int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*"MJPG")
            position = 0
            for index in indices:
                if seekable and index - position > _SEEK_GAP:
                    capture.set(cv2.CAP_PROP_POS_FRAMES, index)
                    position = min(index, int(capture.get(cv2.CAP_PROP_POS_FRAMES)))
                yield turned(self._frame_at(capture, position, index), self._track.turn)
                position = index + 1

    def reduced(self, _factor: int) -> None:
        """Return None: FFmpeg decodes at full size only."""

    def close(self) -> None:
        """Free the memory."""
        self._file.close()

    @contextmanager
    def _opened(self) -> Iterator[cv2.VideoCapture]:
        with captured(self._file.fileno()) as capture:
            if not capture.isOpened():
                raise _unreadable(self._track.codec, "FFmpeg cannot open the file; is it cut off?")
            yield capture

    def _frame_size(self, capture: cv2.VideoCapture, limit: int) -> tuple[int, int]:
        """Return rows and columns of a frame as it is shown."""
        width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > limit:
            raise VideoError(
                VideoErrorCode.TOO_LARGE,
                f"frames of {width} x {height} pixels are over the limit of {limit} pixels; scale them down",
            )
        if _parts(self._track.turn) is None:
            raise VideoError(
                VideoErrorCode.UNREADABLE_VIDEO,
                "the file says to turn its frames by other than quarter turns; convert it without that",
            )
        return (width, height) if self._track.turn[0] == 0 else (height, width)

    def _frame_at(self, capture: cv2.VideoCapture, position: int, index: int) -> Frame:
        """Walk from `position` to `index` and decode that frame."""
        for reached in range(position, index + 1):
            if not capture.grab():
                if reached == 0:
                    raise _unreadable(self._track.codec or _fourcc(capture), "not one frame can be decoded")
                raise WrongFrameCountError(reached)
        decoded, frame = capture.retrieve()
        if not decoded:
            raise VideoError(VideoErrorCode.CORRUPT_FRAME, f"frame {index} cannot be decoded")
        return np.asarray(frame, dtype=np.uint8)


@contextmanager
def captured(descriptor: int) -> Iterator[cv2.VideoCapture]:
    """Open a file of a descriptor with FFmpeg; it may turn out not to be opened."""
    # Naming FFmpeg keeps OpenCV's other readers (image sequences, GStreamer) away from the path.
    # One thread: several videos are decoded at a time, and each would otherwise start one per core.
    capture = cv2.VideoCapture(f"/proc/self/fd/{descriptor}", cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    try:
        yield capture
    finally:
        capture.release()


@contextmanager
def in_memory(data: memoryview) -> Iterator[int]:
    """Put bytes into an anonymous file in memory; yield its descriptor."""
    with os.fdopen(os.memfd_create("video"), "wb", buffering=0) as file:
        _write_all(file.fileno(), data)
        yield file.fileno()


def turned(frame: Frame, turn: tuple[float, float, float, float]) -> Frame:
    """Return a frame as the container says to show it: turned by quarters, mirrored, or as it is."""
    parts = _parts(turn)
    if parts is None or parts == (1, 0, 0, 1):
        return frame
    a, b, c, d = parts
    if a:
        return np.ascontiguousarray(frame[::d, ::a])
    return np.ascontiguousarray(frame.swapaxes(0, 1)[::b, ::c])


def _parts(turn: tuple[float, float, float, float]) -> tuple[int, int, int, int] | None:
    """Return a matrix as signs, of which two are 0; None if it is not a quarter turn or a mirror."""
    a, b, c, d = ((part > 0) - (part < 0) for part in turn)
    return (a, b, c, d) if (a and d and not b and not c) or (b and c and not a and not d) else None


def _fourcc(capture: cv2.VideoCapture) -> str:
    return int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True).decode("latin-1")


def _unreadable(codec: str, reason: str) -> VideoError:
    """Return the error for a video that FFmpeg does not decode: of a foreign codec, or damaged."""
    code = codec.strip("\0 ").lower()
    if not code or code in _DECODED or not re.fullmatch(r"[a-z0-9]{3,4}", code):
        return VideoError(VideoErrorCode.UNREADABLE_VIDEO, reason)
    name = f"{_NAMES[code]} ({code})" if code in _NAMES else code
    return VideoError(VideoErrorCode.UNSUPPORTED_CODEC, f"the video codec {name} is not read; convert to H.264 in MP4")


def require_few_frames(count: int, limit: int) -> None:
    """Raise VideoError, TOO_LARGE, for a video of more frames than the limit."""
    if count > limit:
        raise VideoError(
            VideoErrorCode.TOO_LARGE,
            f"the video has more than {limit} frames; send the part that shows the heart",
        )


def _count_packets(capture: cv2.VideoCapture, limit: int) -> tuple[int, NDArray[np.float64] | None]:
    """Count the frames that the file holds, without decoding them: containers announce frames they do not hold.

    Returns:
        The number of frames, and their times in seconds from the first, or None where the file holds none.
    """
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    capture.set(cv2.CAP_PROP_FORMAT, -1)  # OpenCV's way to ask for undecoded packets
    times = []
    while capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        require_few_frames(len(times), limit)
    return len(times), _seconds(np.array(times, dtype=np.float64), rate)


def _seconds(times: NDArray[np.float64], rate: float) -> NDArray[np.float64] | None:
    """Return the time stamps from the first, in the order of display; evenly spaced ones where they make no sense."""
    ordered = np.sort(times)  # packets come in the order of decoding
    if len(times) > 1 and np.isfinite(ordered).all() and (np.diff(ordered) > 0).all():
        return np.asarray(ordered - ordered[0], dtype=np.float64)
    return np.arange(len(times)) / rate if rate > 0 else None


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:  # one write takes 2 GiB at most
        data = data[os.write(descriptor, data) :]
