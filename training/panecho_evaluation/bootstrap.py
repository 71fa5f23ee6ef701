"""Confidence intervals: the patients are drawn again and again, and with each all their studies."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.arrays import Counts, Floats

__all__ = ["CONFIDENCE", "Interval", "Resampling", "percentile_interval", "wilson_interval"]

CONFIDENCE = 0.95
Z = 1.959963984540054
"""Of a standard normal, 95 % lie within ± Z."""

CELLS = 2_000_000
"""Counts that are in memory at a time, 8 MB: more fit into no cache and are slower."""

FEWEST_PATIENTS = 2
LEAST_DEFINED = 0.5
"""Share of the resamples in which a metric must be defined for its interval to be given."""


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval; NaN where none can be given."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """Resamples of patients with replacement (the cluster bootstrap: Davison and Hinkley 1997, section 3.8).

    Resample r depends on ``seed``, r and the number of patients alone. It is the same for every task, and for every
    model that is compared on the same patients: differences between models are paired.

    Attributes:
        patients: Number of patients.
        rounds: Number of resamples.
        seed: Of the random numbers.
    """

    patients: int
    rounds: int = 1000
    seed: int = 0

    def counts(self, cells: int = CELLS) -> Iterator[Counts]:
        """Return how often each patient is in each resample, [B, P], some rounds at a time."""
        at_a_time = max(1, cells // max(self.patients, 1))
        for start in range(0, self.rounds, at_a_time):
            rounds = range(start, min(start + at_a_time, self.rounds))
            yield np.stack([self._draw(number) for number in rounds]).astype(np.int32)

    def _draw(self, number: int) -> NDArray[np.intp]:
        drawn = np.random.default_rng((self.seed, number)).integers(self.patients, size=self.patients)
        return np.bincount(drawn, minlength=self.patients)


def percentile_interval(values: Floats, patients: int) -> Interval:
    """Return the 2.5th and 97.5th percentile of a metric over the resamples in which it is defined.

    Args:
        values: The metric of each resample, [B].
        patients: Patients that the metric is of; of one there is no interval.
    """
    defined = values[np.isfinite(values)]
    if patients < FEWEST_PATIENTS or not len(values) or len(defined) < LEAST_DEFINED * len(values):
        return Interval(math.nan, math.nan)
    low, high = np.quantile(defined, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Interval(float(low), float(high))


def wilson_interval(share: float, patients: int) -> Interval:
    """Return the score interval of a share, for shares of 0 and 1, where every resample says the same.

    (Wilson, Journal of the American Statistical Association 1927; 22: 209-212)
    """
    if not patients:
        return Interval(math.nan, math.nan)
    middle = share + Z**2 / (2 * patients)
    reach = Z * math.sqrt(share * (1 - share) / patients + Z**2 / (4 * patients**2))
    scale = 1 + Z**2 / patients
    return Interval(max((middle - reach) / scale, 0.0), min((middle + reach) / scale, 1.0))


def number_patients(names: list[str]) -> tuple[NDArray[np.intp], int]:
    """Return each study's patient as a number from 0 on, and how many there are."""
    unique, numbers = np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)
    return numbers, len(unique)
