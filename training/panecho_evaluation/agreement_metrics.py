"""How often the most probable class is the right one, and how far off it is where classes are grades."""

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.arrays import Counts, Floats, Metrics, divide, once, weighted_sums

__all__ = ["agreement_metrics", "confusion_matrix"]


def confusion_matrix(labels: Floats, called: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the number of studies by label (rows) and called class (columns), [C, C].

    Args:
        labels: Index of the class, [N]; NaN where it is missing.
        called: Index of the class that was called, [N].
        classes: Number of classes.
    """
    used = np.isfinite(labels)
    cells = labels[used].astype(np.int64) * classes + called[used]
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def agreement_metrics(
    labels: Floats, called: NDArray[np.int64], classes: int, *, graded: bool, counts: Counts | None = None
) -> Metrics:
    """Return ``accuracy``, ``kappa`` and, where classes are grades, ``kappa_linear`` and ``kappa_quadratic``.

    Kappa is 1 - sum(w O) / sum(w E), with O the confusion matrix, E what it would be were labels and calls independent,
    and w what a confusion of the grades i and j costs: 1 (``kappa``), abs(i - j) (``kappa_linear``) or (i - j)²
    (``kappa_quadratic``); 0 for i = j (Cohen, Psychological Bulletin 1968; 70: 213-220). Equal to scikit-learn's
    ``cohen_kappa_score``; NaN where labels and calls are all of one class.

    Args:
        labels: Index of the class, in the order of the grades, [N]; NaN where it is missing.
        called: Index of the class that was called, [N].
        classes: Number of classes.
        graded: Whether the classes are grades.
        counts: How often each study is in each resample, [B, N].

    Returns:
        Each metric, [B].
    """
    counts = once(len(labels)) if counts is None else counts
    used = np.isfinite(labels)
    cells = np.where(used, labels, 0).astype(np.int64) * classes + called
    sums = weighted_sums([cells == cell for cell in range(classes * classes)], counts, used)
    observed = sums.reshape(classes, classes, -1)
    n = observed.sum(axis=(0, 1))
    expected = divide(observed.sum(axis=1)[:, None] * observed.sum(axis=0)[None], n)
    distance = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes))).astype(np.float64)
    costs = {"kappa": (distance > 0).astype(np.float64)}
    if graded:
        costs |= {"kappa_linear": distance, "kappa_quadratic": distance**2}
    metrics = {"accuracy": divide(np.trace(observed), n)}
    for name, cost in costs.items():
        lost, chance = (np.tensordot(cost, matrix, axes=2) for matrix in (observed, np.nan_to_num(expected)))
        metrics[name] = 1 - divide(lost, chance)
    return metrics
