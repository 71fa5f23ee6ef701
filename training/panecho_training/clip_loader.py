"""Clips of labelled videos, read by workers while the model computes; the same clips whatever the workers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from panecho_preprocessing import VideoError, clip_at, video_clips
from panecho_training.augmentation import Augmentation
from panecho_training.batch_order import CLIP, ClipKey, random_of
from panecho_training.errors import TrainingError
from panecho_training.recipe import Recipe
from panecho_training.table import Table

__all__ = ["Batch", "EvaluationClips", "TrainingClips", "load"]

Clips = NDArray[np.uint8]


class Batch(NamedTuple):
    """Some clips.

    Attributes:
        videos: Place of each clip's video in its split.
        inputs: UINT8 [N, T, size, size, C]; C is 1 where all frames are grey. Or embeddings, FP32 [N, F].
        targets: FP32 [N, tasks], NaN where a label is missing.
    """

    videos: list[int]
    inputs: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Fault:
    """Why a video cannot be used; the text names its row."""

    text: str


Sample: TypeAlias = tuple[int, Clips, NDArray[np.float32]]
"""Place of a video, its clip or clips, its targets."""


class _Clips(Dataset[Any]):
    def __init__(self, table: Table, targets: NDArray[np.float32], recipe: Recipe) -> None:
        self._videos = table.videos
        self._rows = table.rows
        self._targets = targets
        self._recipe = recipe

    def _read(self, video: int, make: Callable[[Clips], Clips]) -> Sample | Fault:
        """Return what ``make`` makes of the bytes of a video, or what is wrong with its row.

        A fault is returned: an exception would come out of a worker with its traceback as its text.
        """
        try:
            return video, self._sized(make(np.fromfile(self._videos[video], np.uint8))), self._targets[video]
        except VideoError as error:
            what = str(error)
        except OSError as error:
            what = f"cannot be read: {error.strerror or error}"
        return Fault(
            f"row {self._rows[video]} of the table: {what}. `panecho dataset check` lists all such rows; repair the "
            "file and go on with --resume, or take the row out and start another run."
        )

    def _sized(self, frames: Clips) -> Clips:
        """Return frames uint8 [..., 224, 224, C] in the recipe's size."""
        size = self._recipe.frame_size
        if size == frames.shape[-2]:
            return frames
        flat = frames.reshape(-1, *frames.shape[-3:])
        method = cv2.INTER_AREA if size < frames.shape[-2] else cv2.INTER_LINEAR
        resized = np.stack([cv2.resize(frame, (size, size), interpolation=method) for frame in flat])
        return np.asarray(resized, np.uint8).reshape(*frames.shape[:-3], size, size, frames.shape[-1])


class TrainingClips(_Clips):
    """One clip of a video an epoch, from a random place, augmented if the recipe says so."""

    def __getitem__(self, key: ClipKey) -> Sample | Fault:
        """Return the video's place, its clip [T, size, size, C] and its targets; or why its file cannot be used."""
        epoch, video = key
        random = random_of(self._recipe.seed, CLIP, epoch, video)
        place = float(random.random())

        def make(data: Clips) -> Clips:
            clip = clip_at(data, self._recipe.clip_options, place, border=self._recipe.augment)
            return Augmentation.draw(random).apply(clip) if self._recipe.augment else clip

        return self._read(video, make)


class EvaluationClips(_Clips):
    """All clips of a video, evenly spaced, as they are served."""

    def __getitem__(self, video: int) -> Sample | Fault:
        """Return the video's place, its clips [K, T, size, size, 3] and its targets; faults as ``TrainingClips``."""
        return self._read(video, lambda data: video_clips(data, self._recipe.clip_options))


def load(data: _Clips, keys: Iterable[Any], *, workers: int, collate: bool = True) -> Iterator[Any]:
    """Yield the clips of keys, in their order.

    Args:
        data: Where they come from.
        keys: Lists of keys, one per batch; single keys without ``collate``.
        workers: Processes that read; 0 reads in this one.
        collate: Whether to yield a ``Batch`` per list.

    Raises:
        TrainingError: A file cannot be used, or a worker has died.
    """
    loader = DataLoader(
        data,
        batch_sampler=keys if collate else None,
        sampler=None if collate else keys,
        batch_size=1 if collate else None,
        num_workers=workers,
        collate_fn=_collate if collate else _as_is,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_one_thread,
        prefetch_factor=2 if workers else None,
    )
    try:
        for sample in loader:
            if isinstance(sample, Fault):
                raise TrainingError(sample.text)
            yield sample
    except RuntimeError as error:
        if "DataLoader worker" not in str(error) or isinstance(error, TrainingError):
            raise
        raise TrainingError(
            "a worker that reads videos was ended by the system, most often for memory: use fewer --workers, and in a "
            "container a larger /dev/shm (docker run --shm-size=8g). Go on with --resume."
        ) from None


def _one_thread(_worker: int) -> None:
    cv2.setNumThreads(0)


def _as_is(sample: object) -> object:
    return sample


def _collate(samples: Sequence[Sample | Fault]) -> Batch | Fault:
    for sample in samples:
        if isinstance(sample, Fault):
            return sample
    return _batch([sample for sample in samples if not isinstance(sample, Fault)])


def _batch(samples: Sequence[Sample]) -> Batch:
    channels = max(clip.shape[-1] for _, clip, _ in samples)
    clips = [clip if clip.shape[-1] == channels else clip.repeat(channels, axis=-1) for _, clip, _ in samples]
    return Batch(
        [video for video, _, _ in samples],
        torch.from_numpy(np.stack(clips)),
        torch.from_numpy(np.stack([targets for _, _, targets in samples])),
    )
