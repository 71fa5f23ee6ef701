"""How good a single video is, and how many of them a study needs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.arrays import Floats
from panecho_evaluation.cohort import Cohort

__all__ = ["VIDEO", "VideoPredictions", "number_name"]

VIDEO = "video"


@dataclass(frozen=True, kw_only=True)
class VideoPredictions:
    """What a model says about each of V videos.

    Attributes:
        study: Index of each video's study, [V].
        values: Predictions of each task, [V, C].
    """

    study: NDArray[np.intp]
    values: Mapping[str, Floats]

    def take(self, studies: NDArray[np.intp]) -> Self:
        """Return the videos of some studies, whose indices become their places in ``studies``."""
        places = np.full(max(studies.max(initial=-1), self.study.max(initial=-1)) + 1, -1)
        places[studies] = np.arange(len(studies))
        rows = places[self.study] >= 0
        values = {task: numbers[rows] for task, numbers in self.values.items()}
        return replace(self, study=places[self.study][rows], values=values)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Powers of two, below the largest number of videos of a study."""
        most = int(np.bincount(self.study).max(initial=0))
        return tuple(2**power for power in range(most.bit_length()) if 2**power < most)

    def each(self, cohort: Cohort, run: str) -> Cohort:
        """Return the cohort of the videos: each has its study's labels and patient."""
        return replace(cohort.take(VIDEO, self.study), runs={run: self.values})

    def some(self, cohort: Cohort, run: str, number: int, seed: int) -> Cohort:
        """Return the cohort with each study predicted from at most this number of its videos, chosen at random.

        The videos of a smaller number are among those of a larger one.
        """
        chosen = self._places(seed) < number
        studies = self.study[chosen]
        counts = np.bincount(studies, minlength=len(cohort))
        predicted = {}
        for task, values in self.values.items():
            sums = [np.bincount(studies, column, minlength=len(cohort)) for column in values[chosen].T]
            predicted[task] = np.stack(sums, axis=1) / np.where(counts, counts, np.nan)[:, None]
        return replace(cohort, name=number_name(number), runs={run: predicted})

    def _places(self, seed: int) -> NDArray[np.intp]:
        """Return the place of each video in a random order of its study's."""
        keys = np.random.default_rng(seed).random(len(self.study))
        order = np.lexsort((keys, self.study))
        ordered = self.study[order]
        first = np.searchsorted(ordered, ordered, "left")
        places = np.empty(len(order), np.intp)
        places[order] = np.arange(len(order)) - first
        return places


def number_name(number: int) -> str:
    """Return the name of the cohort with at most this number of videos a study."""
    return f"videos<={number}"
