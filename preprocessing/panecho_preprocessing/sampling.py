"""Chooses the frames of a video that make its clips."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.constants import PLANES_PER_IMAGE
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.options import ClipOptions

# Times nearer than this, in seconds, are the same: sums of milliseconds are not exact.
_SAME = 1e-6
# Time stamps of videos are often whole milliseconds.
_ROUNDED = 0.0006


def clip_starts(frame_count: int, options: ClipOptions) -> NDArray[np.int64]:
    """Return the first frame of each clip: evenly spaced from the first frame to the last start that fits.

    A single clip is taken from the middle. Starts of clips that overlap are multiples of three frames (times the
    stride), fewer than 4.5 from the even ones: the model then computes the images that clips share once. A video
    too short for that has even starts, and one too short for different starts gives every clip the same one. The same
    video always gives the same starts.

    Args:
        frame_count: frames in the video, at least 1.
        options: number of clips, their length and stride.

    Returns:
        int64 [num_clips], ascending.

    Example:
        >>> clip_starts(65, ClipOptions(num_clips=4))
        array([ 0, 16, 33, 49])
        >>> clip_starts(30, ClipOptions(num_clips=4))
        array([ 0,  3,  9, 12])
    """
    last_start = _last_start(frame_count, options)
    if options.num_clips == 1:
        return np.array([last_start // 2], dtype=np.int64)
    step, gaps = PLANES_PER_IMAGE * options.frame_stride, options.num_clips - 1
    if not gaps * step <= last_start < gaps * _span(options):
        step = 1
    return np.linspace(0, last_start // step, options.num_clips).round().astype(np.int64) * step


def _last_start(frame_count: int, options: ClipOptions) -> int:
    return max(0, frame_count - _span(options))


def _span(options: ClipOptions) -> int:
    """Return the frames from the first of a clip to its last, both included."""
    return (options.clip_length - 1) * options.frame_stride + 1


def _start_at(place: float, frame_count: int, options: ClipOptions) -> NDArray[np.int64]:
    return np.array([int(place * (_last_start(frame_count, options) + 1))], dtype=np.int64)


def clip_frames(
    frame_count: int, options: ClipOptions, seconds: NDArray[np.float64] | None = None, place: float | None = None
) -> NDArray[np.int64]:
    """Return the index of every frame of every clip; a clip that runs past the end of the video repeats the last frame.

    Args:
        frame_count: frames in the video, at least 1.
        options: number of clips, their length and stride, how many of the first frames count, and the rate to resample
            to, if any.
        seconds: when each frame was taken, ascending from 0; needed for a rate.
        place: of a single clip: 0 starts it at the first frame, just below 1 at the last start that fits.

    Returns:
        int64 [num_clips, clip_length]; [1, clip_length] with a place.

    Raises:
        VideoError: NO_FRAME_RATE.
    """
    frame_count = min(frame_count, options.max_frames or frame_count)
    seconds = None if seconds is None else seconds[:frame_count]
    frames = np.arange(frame_count) if options.frame_rate is None else resampled(seconds, options.frame_rate)
    steps = np.arange(options.clip_length) * options.frame_stride
    starts = clip_starts(len(frames), options) if place is None else _start_at(place, len(frames), options)
    indices = starts[:, None] + steps
    taken: NDArray[np.int64] = frames[np.minimum(indices, len(frames) - 1)]
    return taken


def key_frame(frame_count: int, options: ClipOptions, seconds: NDArray[np.float64] | None = None) -> int:
    """Index of the frame that stands for a video: the middle one of those that `max_frames` and `frame_rate` leave.

    Arguments and errors as `clip_frames`.

    Example:
        >>> key_frame(65, ClipOptions())
        32
    """
    return int(clip_frames(frame_count, replace(options, num_clips=1, clip_length=1), seconds)[0, 0])


def resampled(seconds: NDArray[np.float64] | None, rate: float) -> NDArray[np.int64]:
    """Return the index of the frame nearest to each tick of a clock of `rate` per second, from first frame to last.

    Example:
        >>> resampled(np.array([0, 0.02, 0.04, 0.06, 0.08]), rate=25)
        array([0, 2, 4])
    """
    if seconds is None:
        raise VideoError(
            VideoErrorCode.NO_FRAME_RATE,
            "the file holds no times of its frames; leave out frame_rate",
        )
    ticks = np.arange(int((seconds[-1] + _ROUNDED) * rate) + 1) / rate
    after = np.searchsorted(seconds, ticks - _SAME).clip(1, len(seconds) - 1)
    nearer_before = ticks - seconds[after - 1] <= seconds[after] - ticks + _SAME
    return np.where(nearer_before, after - 1, after).astype(np.int64)
