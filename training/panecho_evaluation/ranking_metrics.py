"""How well probabilities rank the studies that have a finding above those that do not."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.arrays import Counts, Floats, Metrics, divide, once

__all__ = ["auroc", "average_precision", "ranking_metrics"]


def auroc(labels: Floats, scores: Floats, counts: Counts | None = None) -> Floats:
    """Return the area under the ROC curve: as of ``ranking_metrics``."""
    return ranking_metrics(labels, scores, counts)["auroc"]


def average_precision(labels: Floats, scores: Floats, counts: Counts | None = None) -> Floats:
    """Return the average precision: as of ``ranking_metrics``."""
    return ranking_metrics(labels, scores, counts)["average_precision"]


def ranking_metrics(labels: Floats, scores: Floats, counts: Counts | None = None) -> Metrics:
    """Return ``auroc`` and ``average_precision``.

    - ``auroc``: probability that a study with the finding has a higher score than one without, ties count half (Hanley
      and McNeil, Radiology 1982; 143: 29-36): equal to scikit-learn's ``roc_auc_score``
    - ``average_precision``: sum over the distinct scores of precision times the recall gained there, without
      interpolation: equal to scikit-learn's ``average_precision_score``

    Both are NaN where all labels are the same.

    Args:
        labels: 1 with the finding, 0 without, [N]; NaN where it is missing.
        scores: Its probability, or any number that rises with it, [N].
        counts: How often each study is in each resample, [B, N].

    Returns:
        Each metric, [B].

    Example:
        >>> ranking_metrics(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8]))["auroc"]
        array([0.875])
    """
    counts = once(len(labels)) if counts is None else counts
    finite = np.isfinite(scores)
    positive, negative = (_sorted(np.flatnonzero(finite & (labels == value)), scores) for value in (1, 0))
    weights = counts.take(positive, axis=1)
    lower_positives, lower_negatives = _running_sums(weights), _running_sums(counts.take(negative, axis=1))
    positives, negatives = lower_positives[:, -1], lower_negatives[:, -1]
    below = lower_negatives.take(np.searchsorted(scores[negative], scores[positive], "left"), axis=1)
    below_or_tied = lower_negatives.take(np.searchsorted(scores[negative], scores[positive], "right"), axis=1)
    wins = _dot(weights, below + below_or_tied) / 2
    true = positives[:, None] - lower_positives.take(
        np.searchsorted(scores[positive], scores[positive], "left"), axis=1
    )
    false = negatives[:, None] - below
    # Where nothing is above a score, no positive of this resample has it either: its weight is 0.
    precision = true / np.maximum(true + false, 1)
    pairs = positives.astype(np.float64) * negatives
    return {
        "auroc": divide(wins, pairs),
        "average_precision": divide(_dot(weights, precision), np.where(pairs > 0, positives, 0.0)),
    }


def _sorted(rows: NDArray[np.intp], scores: Floats) -> NDArray[np.intp]:
    return rows[np.argsort(scores[rows])]


def _running_sums(weights: Counts) -> Counts:
    """Return the sums of the first 0, 1, …, N weights of each resample, [B, N + 1]."""
    sums = np.zeros((len(weights), weights.shape[1] + 1), np.int32)
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _dot(weights: Counts, values: NDArray[Any]) -> Floats:
    """Return the sum of weights times values of each resample; products of counts would overflow 32 bits."""
    return np.asarray(np.einsum("bn,bn->b", weights, values, dtype=np.float64))
