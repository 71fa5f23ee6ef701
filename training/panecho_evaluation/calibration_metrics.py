"""Whether probabilities mean what they say: of the studies given 30 %, do 30 % have the finding?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.arrays import Counts, Floats, Metrics, divide, once, weighted_sums

__all__ = ["BINS", "ReliabilityCurve", "calibration_metrics", "reliability_curve"]

BINS = 10
"""Of equal width from 0 to 1; a probability on an edge belongs to the lower bin, as in scikit-learn."""


@dataclass(frozen=True, kw_only=True)
class ReliabilityCurve:
    """Probabilities and findings of the bins that hold studies.

    Attributes:
        predicted: Mean probability, [M].
        observed: Share of studies with the finding, [M].
        studies: Number of studies, [M].
    """

    predicted: Floats
    observed: Floats
    studies: NDArray[np.int64]


def calibration_metrics(labels: Floats, probabilities: Floats, counts: Counts | None = None) -> Metrics:
    """Return ``brier`` and ``ece``.

    - ``brier``: mean of (probability - label)² (Brier, Monthly Weather Review 1950; 78: 1-3): equal to scikit-learn's
      ``brier_score_loss``
    - ``ece``, the expected calibration error: mean over the studies of abs(mean probability - share with the finding)
      in the study's bin (Naeini et al., AAAI 2015), with 10 bins of equal width. It is never below 0, so few studies
      raise it, and resamples more so.

    Args:
        labels: 1 with the finding, 0 without, [N]; NaN where it is missing.
        probabilities: From 0 to 1, [N].
        counts: How often each study is in each resample, [B, N].

    Returns:
        Each metric, [B].
    """
    counts = once(len(labels)) if counts is None else counts
    used = np.isfinite(labels) & np.isfinite(probabilities)
    difference = probabilities - labels
    bins = _bins(probabilities)
    parts = [np.where(bins == number, difference, 0.0) for number in range(BINS)]
    n, squared, *gaps = weighted_sums((used, difference**2, *parts), counts, used)
    return {"brier": divide(squared, n), "ece": divide(np.abs(gaps).sum(axis=0), n)}


def reliability_curve(labels: Floats, probabilities: Floats) -> ReliabilityCurve:
    """Return the reliability curve: equal to scikit-learn's ``calibration_curve``. Arguments as above."""
    used = np.isfinite(labels) & np.isfinite(probabilities)
    labels, probabilities = labels[used], probabilities[used]
    bins = _bins(probabilities)
    studies = np.bincount(bins, minlength=BINS)
    filled = studies > 0
    return ReliabilityCurve(
        predicted=np.bincount(bins, probabilities, minlength=BINS)[filled] / studies[filled],
        observed=np.bincount(bins, labels, minlength=BINS)[filled] / studies[filled],
        studies=studies[filled],
    )


def _bins(probabilities: Floats) -> NDArray[np.intp]:
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], probabilities)
