"""Types of arrays, and weighted sums over the studies of many resamples at once.

Every metric of this package takes ``counts``: how often each study is in each resample, integers [B, N]. Without
``counts`` there is one resample, the sample itself. A metric is an array of B numbers, NaN where it is not defined.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Counts", "Floats", "Metrics", "divide", "once", "weighted_sums"]

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int32] | NDArray[np.float64]
Metrics: TypeAlias = dict[str, Floats]


def once(size: int) -> Counts:
    """Return the counts [1, N] of the sample itself."""
    return np.ones((1, size), np.int32)


def weighted_sums(terms: Sequence[NDArray[Any]], counts: Counts, used: NDArray[np.bool_]) -> Floats:
    """Return the sum of each term over each resample, float64 [K, B].

    Args:
        terms: K arrays [N].
        counts: How often each study is in each resample, [B, N].
        used: Studies that count, bool [N]; the others may be NaN.
    """
    matrix = np.stack([np.where(used, term, 0.0) for term in terms])
    return np.asarray(matrix @ counts.astype(np.float64, copy=False).T)


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient; NaN where the denominator is 0."""
    quotient = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    return np.divide(numerator, denominator, out=quotient, where=denominator != 0)
