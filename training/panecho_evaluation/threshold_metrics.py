"""What a finding at a threshold of its probability is worth."""

from typing import Literal, TypeAlias

import numpy as np
from sklearn.metrics import roc_curve

from panecho_evaluation.arrays import Counts, Floats, Metrics, divide, once, weighted_sums
from panecho_evaluation.errors import EvaluationError

__all__ = ["Criterion", "choose_threshold", "threshold_metrics"]

Criterion: TypeAlias = Literal["youden", "sensitivity", "specificity"]


def threshold_metrics(labels: Floats, scores: Floats, threshold: float, counts: Counts | None = None) -> Metrics:
    """Return what comes of calling every study positive whose score is at least the threshold.

    With TP, FP, TN and FN the studies rightly and wrongly called positive and negative: ``sensitivity`` TP / (TP + FN),
    ``specificity`` TN / (TN + FP), ``ppv`` TP / (TP + FP), ``npv`` TN / (TN + FN), ``prevalence`` (TP + FN) / n. Each
    is NaN where its denominator is 0. PPV and NPV hold for the prevalence of these studies.

    Args:
        labels: 1 with the finding, 0 without, [N]; NaN where it is missing.
        scores: Its probability, [N].
        threshold: From which probability on a study is positive; NaN where there is none, and then only the prevalence
            is defined.
        counts: How often each study is in each resample, [B, N].

    Returns:
        Each metric, [B].
    """
    counts = once(len(labels)) if counts is None else counts
    used = np.isfinite(labels) & np.isfinite(scores)
    called = np.full(len(scores), np.nan) if np.isnan(threshold) else (scores >= threshold).astype(np.float64)
    n, positives, called_positive, hits = weighted_sums((used, labels, called, labels * called), counts, used)
    negatives, called_negative = n - positives, n - called_positive
    return {
        "sensitivity": divide(hits, positives),
        "specificity": divide(negatives - called_positive + hits, negatives),
        "ppv": divide(hits, called_positive),
        "npv": divide(called_negative - positives + hits, called_negative),
        "prevalence": divide(positives, n),
    }


def choose_threshold(labels: Floats, scores: Floats, criterion: Criterion, target: float | None = None) -> float:
    """Return the threshold that these studies suggest; what it is worth on them is then optimistic.

    - ``youden``: where sensitivity + specificity is largest (Youden, Cancer 1950; 3: 32-35)
    - ``sensitivity``: the highest threshold whose sensitivity is at least the target
    - ``specificity``: the lowest threshold whose specificity is at least the target

    Args:
        labels: 1 with the finding, 0 without, [N]; NaN where it is missing.
        scores: Its probability, [N].
        criterion: Which of them.
        target: From 0 to 1; for ``sensitivity`` and ``specificity``.

    Returns:
        A score of these studies, or infinity where only calling nothing positive is specific enough; NaN where all
        labels are the same.

    Raises:
        EvaluationError: The criterion needs a target and has none, or one that is not from 0 to 1.
    """
    if criterion != "youden" and not (target is not None and 0 <= target <= 1):
        raise EvaluationError(f"a threshold chosen by {criterion} needs a target from 0 to 1, such as {criterion}=0.9.")
    used = np.isfinite(labels) & np.isfinite(scores)
    if np.unique(labels[used]).size < 2:
        return float("nan")
    false_positive_rate, sensitivity, thresholds = roc_curve(labels[used], scores[used], drop_intermediate=False)
    specificity = 1 - false_positive_rate
    if criterion == "youden":
        best = int(np.argmax(sensitivity + specificity))
    elif criterion == "sensitivity":
        best = int(np.flatnonzero(sensitivity >= target)[0])
    else:
        best = int(np.flatnonzero(specificity >= target)[-1])
    return float(thresholds[best])
