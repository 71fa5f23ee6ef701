"""Which frames of a video make its clips."""

import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.options import Options


def clip_starts(frame_count: int, options: Options) -> NDArray[np.int64]:
    """First frame of each clip: evenly spaced from the first frame to the last start that fits, ends included.

    A single clip is taken from the middle. A video too short for different starts gives every clip the same one. The
    same video always gives the same starts.

    Args:
        frame_count: frames in the video, at least 1.
        options: number of clips, their length and stride.

    Returns:
        int64 [num_clips], ascending.

    Example:
        >>> clip_starts(65, Options(num_clips=4))
        array([ 0, 16, 33, 49])
    """
    span = (options.clip_length - 1) * options.frame_stride + 1
    last_start = max(0, frame_count - span)
    if options.num_clips == 1:
        return np.array([last_start // 2], dtype=np.int64)
    return np.linspace(0, last_start, options.num_clips).round().astype(np.int64)


def clip_frames(frame_count: int, options: Options) -> NDArray[np.int64]:
    """Index of every frame of every clip; a clip that runs past the end of the video repeats the last frame.

    Returns:
        int64 [num_clips, clip_length].
    """
    steps = np.arange(options.clip_length) * options.frame_stride
    frames = clip_starts(frame_count, options)[:, None] + steps
    return np.minimum(frames, frame_count - 1)
