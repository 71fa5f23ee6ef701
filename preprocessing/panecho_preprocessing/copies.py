"""Finds files of a study that are the same video under several names, so that each video counts once.

Equal bytes are found before anything is decoded. Decoded videos are the same if they have the same number of frames and
either the same clips, or the same SOPInstanceUID and nearly the same clips (compressed again). A UID alone proves
nothing: some anonymisers write one UID into all files. Files that are sent one by one are compared by their digests.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.clips import VideoClips
from panecho_preprocessing.errors import VideoError, VideoErrorCode

# Mean difference in grey levels between clips of one video that was compressed again; other beats differ by more.
_ALIKE = 1.5


def equal_files(files: Sequence[memoryview]) -> dict[int, int]:
    """Return, for each file whose bytes are those of an earlier one, the index of that one."""
    by_size: dict[int, list[int]] = defaultdict(list)
    copies: dict[int, int] = {}
    for index, file in enumerate(files):
        if not len(file):
            continue
        earlier = next((first for first in by_size[len(file)] if _are_equal(files[first], file)), None)
        if earlier is None:
            by_size[len(file)].append(index)
        else:
            copies[index] = earlier
    return copies


def equal_videos(videos: Mapping[int, VideoClips]) -> dict[int, int]:
    """Return, for each video that is the same as an earlier one, the index of that one."""
    by_count: dict[int, list[int]] = defaultdict(list)
    copies: dict[int, int] = {}
    for index, video in videos.items():
        earlier = next((first for first in by_count[video.frames] if _are_the_same(videos[first], video)), None)
        if earlier is None:
            by_count[video.frames].append(index)
        else:
            copies[index] = earlier
    return copies


def digest(video: VideoClips) -> str:
    """Return what two requests for the same video have in common: SHA-256 of its clips and its number of frames."""
    content = hashlib.sha256(b"%d frames" % video.frames)
    content.update(np.ascontiguousarray(video.clips).data)
    return content.hexdigest()


def duplicate(original: int) -> VideoError:
    """Return the status of a copy."""
    return VideoError(VideoErrorCode.DUPLICATE, f"the same video as video_sizes[{original}]; it counts once")


def _are_equal(one: memoryview, other: memoryview) -> bool:
    return bytes(one[-4096:]) == bytes(other[-4096:]) and bool(
        np.array_equal(np.frombuffer(one, np.uint8), np.frombuffer(other, np.uint8))
    )


def _are_the_same(one: VideoClips, other: VideoClips) -> bool:
    if one.clips.shape != other.clips.shape:
        return False
    if one.instance and one.instance == other.instance:
        return _difference(one.clips, other.clips) <= _ALIKE
    return bool(np.array_equal(one.clips[0, 0], other.clips[0, 0]) and np.array_equal(one.clips, other.clips))


def _difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())
