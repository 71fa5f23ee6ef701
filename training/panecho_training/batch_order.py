"""Which videos are in which batch: a matter of (seed, epoch) alone, whatever the number of processes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from panecho_training.errors import RecipeError

__all__ = ["BatchOrder", "ClipKey", "random_of"]

ClipKey = tuple[int, int]
"""Epoch and place of a video in the training split."""

ORDER, CLIP, DROPOUT = range(3)
"""Streams of random numbers."""


def random_of(seed: int, stream: int, *key: int) -> np.random.Generator:
    """Return random numbers that depend on these numbers alone."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, stream, *key))))


@dataclass(frozen=True, kw_only=True)
class BatchOrder:
    """The batches of every epoch.

    The videos are shuffled again in each epoch. Process r of N takes every N-th of a batch, in passes. The videos that
    are left when no whole batch remains wait for another epoch; a set smaller than a batch is one batch.

    Attributes:
        videos: Number of videos.
        batch_size: Clips of an update, over all processes.
        clips_per_pass: Clips that a process computes at once.
        rank: This process.
        world: Number of processes.
        seed: Of the recipe.

    Raises:
        RecipeError: There are fewer videos, or clips in a batch, than processes.
    """

    videos: int
    batch_size: int
    clips_per_pass: int
    rank: int = 0
    world: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what would leave a process without work."""
        if self.size < self.world:
            raise RecipeError(
                f"{self.world} processes share batches of {self.size} clips; use fewer, or a larger batch_size."
            )

    @property
    def size(self) -> int:
        """Clips of a batch."""
        return min(self.batch_size, self.videos)

    @property
    def steps(self) -> int:
        """Updates of an epoch."""
        return self.videos // self.size

    def passes(self, epoch: int, step: int) -> list[list[ClipKey]]:
        """Return the clips of this process in each pass of an update."""
        return self._divided(self._shuffled(epoch), epoch, step)

    def keys(self, epoch: int, first_step: int = 0) -> Iterator[list[ClipKey]]:
        """Yield the passes of all updates of an epoch, one after the other."""
        order = self._shuffled(epoch)
        for step in range(first_step, self.steps):
            yield from self._divided(order, epoch, step)

    def _shuffled(self, epoch: int) -> list[int]:
        return [int(video) for video in random_of(self.seed, ORDER, epoch).permutation(self.videos)]

    def _divided(self, order: list[int], epoch: int, step: int) -> list[list[ClipKey]]:
        mine = order[step * self.size : (step + 1) * self.size][self.rank :: self.world]
        size = self.clips_per_pass
        return [[(epoch, video) for video in mine[start : start + size]] for start in range(0, len(mine), size)]
