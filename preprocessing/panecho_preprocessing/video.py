"""Reads AVI, MP4 and MPEG with OpenCV's FFmpeg."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Cine, Frame, T, WrongFrameCountError
from panecho_preprocessing.limits import Limits

# OpenCV seeks by decoding 16 frames or so before the one asked for; under about twice that, walking is faster.
_SEEK_GAP = 32


def open_video(data: memoryview, limits: Limits) -> Cine:
    """Open an AVI, MP4 or MPEG file; errors as `VideoFile`."""
    reader = VideoFile(data, limits)
    return Cine(reader=reader, seconds=reader.seconds, is_cropped=True)


class VideoFile:
    """A video's frames. The bytes are kept in an anonymous file in memory: nothing is written to disk.

    Attributes:
        count: number of frames.
        size: rows and columns of a frame.
        seconds: float64 [count], time of each frame from the first; None where the file holds no times.

    Raises:
        VideoError: UNREADABLE_VIDEO or TOO_LARGE.
    """

    def __init__(self, data: memoryview, limits: Limits) -> None:
        self._file = os.fdopen(os.memfd_create("video"), "wb", buffering=0)
        try:
            _write_all(self._file.fileno(), data)
            with self._opened() as capture:
                self.size = _frame_size(capture, limits.max_frame_pixels)
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
                yield _frame_at(capture, position, index)
                position = index + 1

    def reduced(self, _factor: int) -> None:
        """Return None: FFmpeg decodes at full size only."""

    def close(self) -> None:
        """Free the memory."""
        self._file.close()

    @contextmanager
    def _opened(self) -> Iterator[cv2.VideoCapture]:
        # Naming FFmpeg keeps OpenCV's other readers (image sequences, GStreamer) away from the path.
        # One thread: several videos are decoded at a time, and each would otherwise start one per core.
        capture = cv2.VideoCapture(f"/proc/self/fd/{self._file.fileno()}", cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        try:
            if not capture.isOpened():
                raise VideoError(VideoErrorCode.UNREADABLE_VIDEO, "FFmpeg cannot open the file; is it cut off?")
            yield capture
        finally:
            capture.release()


def _frame_size(capture: cv2.VideoCapture, limit: int) -> tuple[int, int]:
    """Return rows and columns of a frame."""
    width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > limit:
        raise VideoError(
            VideoErrorCode.TOO_LARGE,
            f"frames of {width} x {height} pixels are over the limit of {limit} pixels; scale them down",
        )
    return height, width


def _count_packets(capture: cv2.VideoCapture, limit: int) -> tuple[int, NDArray[np.float64] | None]:
    """Count the frames that the file holds, without decoding them: containers announce frames they do not hold."""
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    capture.set(cv2.CAP_PROP_FORMAT, -1)  # OpenCV's way to ask for undecoded packets
    count = 0
    while capture.grab():
        count += 1
        if count > limit:
            raise VideoError(
                VideoErrorCode.TOO_LARGE,
                f"the video has more than {limit} frames; send the part that shows the heart",
            )
    return count, np.arange(count) / rate if rate > 0 else None


def _frame_at(capture: cv2.VideoCapture, position: int, index: int) -> Frame:
    """Walk from `position` to `index` and decode that frame."""
    for reached in range(position, index + 1):
        if not capture.grab():
            raise WrongFrameCountError(reached)
    decoded, frame = capture.retrieve()
    if not decoded:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, f"frame {index} cannot be decoded")
    return np.asarray(frame, dtype=np.uint8)


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:  # one write takes 2 GiB at most
        data = data[os.write(descriptor, data) :]
