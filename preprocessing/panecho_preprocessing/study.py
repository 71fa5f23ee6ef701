"""Turns the bytes of one request into the clips of its study."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.clips import VideoClips, opened, pool, sample_clips
from panecho_preprocessing.constants import CROP, FRAME_BYTES
from panecho_preprocessing.copies import digest, duplicate, equal_files, equal_videos
from panecho_preprocessing.dicom.quiet_pydicom import quiet_pydicom
from panecho_preprocessing.errors import (
    InvalidRequestError,
    NoUsableVideoError,
    RequestCancelledError,
    ShortOfMemoryError,
    VideoError,
    VideoErrorCode,
)
from panecho_preprocessing.host.memory import read_memory
from panecho_preprocessing.limits import Limits
from panecho_preprocessing.options import ClipOptions


@dataclass(frozen=True, slots=True)
class StudyClips:
    """The clips of a study's usable videos.

    Attributes:
        clips: uint8 [K, T, 224, 224, 3], C-contiguous, in the order of the files.
        clip_video: int32 [K], the index of the file that each clip comes from.
        video_status: for each of the N files "ok", "ok: what to know", or "CODE: what is wrong and what to do".
        key_frames: uint8 [N, 224, 224, 3], the middle frame of each file as the model sees it, but red first, to show
            to people; zeros for a file that cannot be used; [0, 224, 224, 3] unless requested.
        digests: for each of the N files the digest of its clips, empty for a file that cannot be used.
    """

    clips: NDArray[np.uint8]
    clip_video: NDArray[np.int32]
    video_status: tuple[str, ...]
    key_frames: NDArray[np.uint8]
    digests: tuple[str, ...]


def preprocess_study(  # noqa: PLR0913 - two tensors, and one argument per kind of setting
    video_bytes: NDArray[np.uint8],
    video_sizes: NDArray[np.int64],
    options: ClipOptions,
    *,
    max_clips: int,
    threads: int = 1,
    limits: Limits | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> StudyClips:
    """Make the clips of every file of a request. A file that cannot be used does not affect the others.

    Args:
        video_bytes: uint8 [total], the files one after another.
        video_sizes: int64 [N], the size of each file.
        options: which clips of each file, how their frames are prepared, and whether a bad file fails the request.
        max_clips: number of clips that the model takes from one request; each file that opens counts.
        threads: number of files, and of frames, processed at a time; the result does not depend on it.
        limits: sizes above which a file, or the request, is refused.
        cancelled: called before each file; returns whether the caller has cancelled the request.

    Raises:
        RequestCancelledError: the caller has cancelled the request.
        ShortOfMemoryError: the clips would not fit into the memory that is left.
        InvalidRequestError: sizes and bytes do not fit, there are too many files, bytes or clips, more clips than
            the memory can ever hold, or a file cannot be used and `options.on_error` is "fail".
        NoUsableVideoError: no file can be used.
    """
    limits = limits or Limits()
    files = _split(video_bytes, video_sizes, limits)
    max_clips = min(max_clips, limits.max_clip_frames // options.clip_length)
    frames_kept = min(len(files) * options.num_clips, max_clips) * options.clip_length
    _require_memory((frames_kept + len(files) * options.key_frames) * FRAME_BYTES, limits)
    work = _Work(options, max_clips, len(files), limits, cancelled)
    with quiet_pydicom(), pool(threads) as videos, pool(threads) as frames:
        outcomes = work.outcomes(files, videos, frames)
    made = {index: outcome for index, outcome in enumerate(outcomes) if not isinstance(outcome, VideoError)}
    for index, original in equal_videos(made).items():
        outcomes[index] = duplicate(original)
        del made[index]
    statuses = [str(outcome) if isinstance(outcome, VideoError) else outcome.status for outcome in outcomes]
    if options.on_error == "fail":
        _require_all(outcomes)
    if not made:
        raise NoUsableVideoError(statuses)
    return StudyClips(
        clips=np.concatenate([video.clips for video in made.values()]),
        clip_video=np.repeat([*made], options.num_clips).astype(np.int32),
        video_status=tuple(statuses),
        key_frames=_key_frames(made, len(files) if options.key_frames else 0),
        digests=tuple(digest(made[index]) if index in made else "" for index in range(len(files))),
    )


def _key_frames(made: Mapping[int, VideoClips], count: int) -> NDArray[np.uint8]:
    frames = np.zeros((count, CROP, CROP, 3), np.uint8)
    for index, video in made.items():
        if video.key_frame is not None:
            frames[index] = video.key_frame
    return frames


class _Work:
    """The files of one request: their options, their limits, and the number of clips that the model still takes."""

    def __init__(
        self, options: ClipOptions, max_clips: int, files: int, limits: Limits, cancelled: Callable[[], bool]
    ) -> None:
        self._options = options
        self._max_clips = max_clips
        self._files = files
        self._limits = limits
        self._cancelled = cancelled
        self._opened = 0
        self._lock = Lock()

    def outcomes(
        self, files: list[memoryview], videos: Executor | None, frames: Executor | None
    ) -> list[VideoClips | VideoError]:
        """Return the outcome of every file; files of the same bytes are read once."""
        copies = equal_files(files)
        firsts = [index for index in range(len(files)) if index not in copies]
        run = map if videos is None else videos.map
        found = dict(zip(firsts, run(lambda index: self.outcome(files[index], frames), firsts), strict=True))
        for index, original in copies.items():  # a copy of a file that cannot be used cannot be used either
            first = found[original]
            found[index] = first if isinstance(first, VideoError) else duplicate(original)
        return [found[index] for index in range(len(files))]

    def outcome(self, file: memoryview, executor: Executor | None) -> VideoClips | VideoError:
        """Return a file's clips, or why there are none; raise InvalidRequestError when they no longer fit."""
        if self._cancelled():
            raise RequestCancelledError("the request was cancelled: nobody waits for its answer")
        try:
            with opened(file, self._limits) as cine:
                self._take_room()
                return sample_clips(cine, self._options, executor)
        except VideoError as error:
            return error

    def _take_room(self) -> None:
        """Refuse, before it is decoded, the file whose clips no longer fit."""
        with self._lock:
            self._opened += 1
            needed = self._opened * self._options.num_clips
        if needed > self._max_clips:
            raise InvalidRequestError(_no_room(needed, self._max_clips, self._options, self._files))


def _require_memory(clip_bytes: int, limits: Limits) -> None:
    """Refuse clips that would not fit, before decoding: clips that wait for the next model are in memory."""
    memory = read_memory()
    needed = limits.memory_copies * clip_bytes
    if memory is None or needed <= memory.available:
        return
    why = f"clips of this request may be {clip_bytes >> 20} MiB, which needs {needed >> 20} MiB"
    if needed > memory.total:
        raise InvalidRequestError(
            f"{why}, and the server's memory is {memory.total >> 20} MiB: send fewer videos or clips at once"
        )
    raise ShortOfMemoryError(
        f"short of memory: {why}, and {memory.available >> 20} MiB are available; send it again later, or fewer videos "
        "or clips at once"
    )


def _require_all(outcomes: list[VideoClips | VideoError]) -> None:
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, VideoError) and outcome.code is not VideoErrorCode.DUPLICATE:
            raise InvalidRequestError(f"video_sizes[{index}]: {outcome}")


def _split(video_bytes: NDArray[np.uint8], video_sizes: NDArray[np.int64], limits: Limits) -> list[memoryview]:
    """Cut the bytes into files, without copying."""
    if video_bytes.ndim != 1 or video_bytes.dtype != np.uint8:
        raise InvalidRequestError(f"video_bytes is {_describe(video_bytes)}: must be uint8 of one dimension")
    if video_sizes.ndim != 1 or video_sizes.dtype != np.int64:
        raise InvalidRequestError(f"video_sizes is {_describe(video_sizes)}: must be int64 of one dimension")
    if len(video_sizes) > limits.max_files:
        raise InvalidRequestError(
            f"video_sizes names {len(video_sizes)} files, the limit of a request is {limits.max_files}: send fewer"
        )
    if len(video_bytes) > limits.max_request_bytes:
        raise InvalidRequestError(
            f"video_bytes holds {len(video_bytes)} bytes, the limit of a request is {limits.max_request_bytes}: send "
            "fewer files, or one video per request"
        )
    sizes: list[int] = video_sizes.tolist()
    if not sizes:
        raise InvalidRequestError("video_sizes is empty: send the size of each file")
    for index, size in enumerate(sizes):
        if size < 0:
            raise InvalidRequestError(f"video_sizes[{index}]={size}: a size cannot be negative")
    if sum(sizes) != len(video_bytes):
        raise InvalidRequestError(f"video_sizes sums to {sum(sizes)} bytes, video_bytes holds {len(video_bytes)}")
    view, files = np.ascontiguousarray(video_bytes).data, []
    for size in sizes:
        files.append(view[:size])
        view = view[size:]
    return files


def _no_room(needed: int, max_clips: int, options: ClipOptions, files: int) -> str:
    num_clips, clip_length = options.num_clips, options.clip_length
    fitting = max_clips // num_clips
    split = f"send at most {fitting} videos per request with num_clips={num_clips}, or " if fitting else ""
    return (
        f"the request makes more clips ({needed} or more; up to {files * num_clips} from {files} files) than the "
        f"limit of {max_clips} with clip_length={clip_length}: {split}lower num_clips; gather clip_logits of the "
        "requests and aggregate them with the `postprocessing` model"
    )


def _describe(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} of shape {list(array.shape)}"
