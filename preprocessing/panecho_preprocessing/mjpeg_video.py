"""MJPEG in AVI, of which FFmpeg gets the frames asked for alone."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor

import cv2
import numpy as np

from panecho_preprocessing.frames import Cine, Frame, T
from panecho_preprocessing.limits import Limits
from panecho_preprocessing.mjpeg_avi import MjpegFrames, find_mjpeg_frames
from panecho_preprocessing.video import VideoFile, captured, in_memory, require_few_frames

__all__ = ["open_video"]


def open_video(data: memoryview, limits: Limits) -> Cine:
    """Open an AVI, MP4 or MPEG file; errors as `VideoFile`."""
    found = find_mjpeg_frames(data)
    reader = VideoFile(data, limits) if found is None else MjpegVideo(data, found, limits)
    return Cine(reader=reader, seconds=reader.seconds, is_prepared=True)


class MjpegVideo:
    """The frames of a plain MJPEG AVI, the pixels those of `VideoFile`; a frame of three equal channels is grey.

    Attributes:
        count: number of frames.
        seconds: float64 [count], time of each frame from the first.

    Raises:
        VideoError: TOO_LARGE.
    """

    def __init__(self, data: memoryview, found: MjpegFrames, limits: Limits) -> None:
        self._data, self._found, self._limits = data, found, limits
        self.count = len(found.places)
        require_few_frames(self.count, limits.max_video_frames)
        self.seconds = np.arange(self.count) / found.rate

    def map(self, function: Callable[[Frame], T], indices: Sequence[int], _executor: Executor | None) -> Iterator[T]:
        """Decode one frame after the other; see `FrameReader.map`."""
        return map(function, self._frames(list(indices)))

    def _frames(self, indices: list[int]) -> Iterator[Frame]:
        done = 0
        if indices:
            for frame in self._decoded(indices):
                yield _without_equal_channels(frame)
                done += 1
        if done < len(indices):  # a damaged frame: the whole file says what is wrong
            whole = VideoFile(self._data, self._limits)
            try:
                yield from map(_without_equal_channels, whole.frames(indices[done:]))
            finally:
                whole.close()

    def _decoded(self, indices: list[int]) -> Iterator[Frame]:
        """Decode frames, up to the first that cannot be."""
        part = self._found.of(self._data, indices)
        if part is None:
            return
        with in_memory(memoryview(part)) as file, captured(file) as capture:
            if not capture.isOpened() or self._is_too_large(capture):
                return
            for _ in indices:
                decoded, frame = capture.read()
                if not decoded:
                    return
                yield np.asarray(frame, dtype=np.uint8)

    def _is_too_large(self, capture: cv2.VideoCapture) -> bool:
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        return width * height > self._limits.max_frame_pixels

    def reduced(self, _factor: int) -> None:
        """Return None: FFmpeg decodes at full size only."""

    def close(self) -> None:
        """Nothing is held open."""


def _without_equal_channels(frame: Frame) -> Frame:
    """Return a grey frame [height, width] where the three channels are equal: it is resized once, not three times."""
    blue, green, red = (np.asarray(channel, dtype=np.uint8) for channel in cv2.split(frame))
    return blue if bool((blue == green).all()) and bool((blue == red).all()) else frame
