"""Sensitivity, specificity and predictive values against scikit-learn's confusion matrix; thresholds by search."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.threshold_metrics import choose_threshold, threshold_metrics


@pytest.mark.parametrize("seed", range(20))
def test_equal_the_confusion_matrix_on_every_resample(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 25).astype(np.float64)
    scores = np.round(rng.random(25), 1)
    threshold = float(rng.choice([0.0, 0.3, 0.5, 1.0]))
    counts = rng.integers(0, 3, (6, 25)).astype(np.int32)
    metrics = threshold_metrics(labels, scores, threshold, counts)
    for number, times in enumerate(counts):
        y, called = np.repeat(labels, times), np.repeat(scores >= threshold, times)
        (tn, fp), (fn, tp) = confusion_matrix(y, called, labels=[0, 1])
        shares = {
            "sensitivity": (tp, tp + fn),
            "specificity": (tn, tn + fp),
            "ppv": (tp, tp + fp),
            "npv": (tn, tn + fn),
            "prevalence": (tp + fn, len(y)),
        }
        assert metrics.keys() == shares.keys()
        for name, (part, whole) in shares.items():
            assert metrics[name][number] == pytest.approx(part / whole if whole else np.nan, nan_ok=True), name


def test_a_score_at_the_threshold_is_positive() -> None:
    metrics = threshold_metrics(np.array([1.0, 0]), np.array([0.5, 0.4999]), 0.5)
    assert (metrics["sensitivity"][0], metrics["specificity"][0]) == (1, 1)


def test_without_a_threshold_only_the_prevalence_is_defined() -> None:
    metrics = threshold_metrics(np.array([1.0, 0]), np.array([0.5, 0.4]), np.nan)
    assert metrics["prevalence"][0] == 0.5
    assert np.isnan([metrics[name][0] for name in ("sensitivity", "specificity", "ppv", "npv")]).all()


@pytest.mark.parametrize("seed", range(10))
def test_chosen_thresholds_are_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 40).astype(np.float64)
    scores = np.round(np.clip(rng.random(40) + 0.2 * labels, 0, 1), 2)
    tried = {
        threshold: {name: value[0] for name, value in threshold_metrics(labels, scores, threshold).items()}
        for threshold in (*np.unique(scores), np.inf)
    }
    youden = {threshold: of["sensitivity"] + of["specificity"] for threshold, of in tried.items()}
    assert youden[choose_threshold(labels, scores, "youden")] == pytest.approx(max(youden.values()))
    sensitive = [threshold for threshold, of in tried.items() if of["sensitivity"] >= 0.9]
    assert choose_threshold(labels, scores, "sensitivity", 0.9) == max(sensitive)
    specific = [threshold for threshold, of in tried.items() if of["specificity"] >= 0.9]
    assert choose_threshold(labels, scores, "specificity", 0.9) == min(specific)


def test_of_one_class_no_threshold_is_chosen() -> None:
    assert np.isnan(choose_threshold(np.ones(3), np.array([0.1, 0.2, 0.3]), "youden"))


@pytest.mark.parametrize("target", [None, -0.1, 1.1])
def test_a_criterion_without_a_target_is_refused(target: float | None) -> None:
    with pytest.raises(EvaluationError, match=r"sensitivity=0\.9"):
        choose_threshold(np.array([0.0, 1]), np.array([0.1, 0.9]), "sensitivity", target)
