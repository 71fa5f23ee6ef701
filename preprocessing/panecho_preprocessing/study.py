"""From the bytes of one request to the clips of its study."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.clips import open_source, sample_clips
from panecho_preprocessing.errors import InvalidRequestError, NoUsableVideoError, VideoError
from panecho_preprocessing.options import Options


@dataclass(frozen=True, slots=True)
class StudyClips:
    """The clips of a study's usable videos.

    Attributes:
        clips: uint8 [K, T, 224, 224, 3], C-contiguous, in the order of the files.
        clip_video: int32 [K], the index of the file each clip comes from.
        video_status: for each of the N files "ok", or "CODE: what is wrong and what to do".
    """

    clips: NDArray[np.uint8]
    clip_video: NDArray[np.int32]
    video_status: tuple[str, ...]


def preprocess_study(
    video_bytes: NDArray[np.uint8], video_sizes: NDArray[np.int64], options: Options, *, max_clips: int
) -> StudyClips:
    """Make the clips of every file of a request. A file that cannot be used harms no other.

    Args:
        video_bytes: uint8 [total], the files one after another.
        video_sizes: int64 [N], the size of each file.
        options: how many clips of each file, how long, how far apart, and whether a bad file fails the request.
        max_clips: how many clips the model takes from one request.

    Raises:
        InvalidRequestError: sizes and bytes do not fit, there would be too many clips, or a file cannot be used and
            `options.on_error` is "fail".
        NoUsableVideoError: no file can be used.
    """
    clips: list[NDArray[np.uint8]] = []
    clip_video: list[int] = []
    statuses: list[str] = []
    for index, data in enumerate(_split(video_bytes, video_sizes)):
        try:
            with open_source(data) as source:
                _check_room(len(clip_video), max_clips, options, len(video_sizes))
                clips.append(sample_clips(source, options))
        except VideoError as error:
            if options.on_error == "fail":
                raise InvalidRequestError(f"video_sizes[{index}]: {error}") from None
            statuses.append(str(error))
        else:
            clip_video += [index] * options.num_clips
            statuses.append("ok")
    if not clips:
        raise NoUsableVideoError(statuses)
    return StudyClips(np.concatenate(clips), np.array(clip_video, dtype=np.int32), tuple(statuses))


def _split(video_bytes: NDArray[np.uint8], video_sizes: NDArray[np.int64]) -> list[memoryview]:
    """Cut the bytes into files, without copying."""
    if video_bytes.ndim != 1 or video_bytes.dtype != np.uint8:
        raise InvalidRequestError(f"video_bytes is {_describe(video_bytes)}: must be uint8 of one dimension")
    if video_sizes.ndim != 1 or video_sizes.dtype != np.int64:
        raise InvalidRequestError(f"video_sizes is {_describe(video_sizes)}: must be int64 of one dimension")
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


def _check_room(made: int, max_clips: int, options: Options, files: int) -> None:
    """Refuse before decoding the file whose clips no longer fit."""
    wanted = options.num_clips
    if made + wanted <= max_clips:
        return
    fitting = max_clips // wanted
    split = f"send at most {fitting} videos per request with num_clips={wanted}, or " if fitting else ""
    raise InvalidRequestError(
        f"the request makes more clips ({made + wanted} or more; up to {files * wanted} from {files} files) than the "
        f"limit of {max_clips}: {split}lower num_clips; gather clip_logits of the requests and aggregate them with the "
        "`postprocessing` model"
    )


def _describe(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} of shape {list(array.shape)}"
