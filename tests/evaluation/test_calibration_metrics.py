"""Brier score and reliability curve against scikit-learn, ECE against its formula."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from panecho_evaluation.arrays import Floats
from panecho_evaluation.calibration_metrics import calibration_metrics, reliability_curve


def expected_calibration_error(labels: Floats, probabilities: Floats) -> float:
    error = 0.0
    for bin_ in range(10):
        low, high = bin_ / 10, (bin_ + 1) / 10
        inside = (probabilities > low) & (probabilities <= high) | ((bin_ == 0) & (probabilities == 0))
        if inside.any():
            error += inside.mean() * abs(probabilities[inside].mean() - labels[inside].mean())
    return error


@pytest.mark.parametrize("seed", range(20))
def test_equal_scikit_learn_and_the_formula_on_every_resample(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 40).astype(np.float64)
    probabilities = np.round(rng.random(40), 2)
    counts = rng.integers(0, 3, (6, 40)).astype(np.int32)
    metrics = calibration_metrics(labels, probabilities, counts)
    for number, times in enumerate(counts):
        y, p = np.repeat(labels, times), np.repeat(probabilities, times)
        assert metrics["brier"][number] == pytest.approx(brier_score_loss(y, p))
        assert metrics["ece"][number] == pytest.approx(expected_calibration_error(y, p))


@pytest.mark.parametrize("digits", [1, 3])
def test_the_curve_equals_scikit_learns(digits: int) -> None:
    rng = np.random.default_rng(digits)
    labels, probabilities = rng.integers(0, 2, 60).astype(np.float64), np.round(rng.random(60), digits)
    curve = reliability_curve(labels, probabilities)
    observed, predicted = calibration_curve(labels, probabilities, n_bins=10)
    assert curve.observed == pytest.approx(observed)
    assert curve.predicted == pytest.approx(predicted)
    assert curve.studies.sum() == 60


def test_missing_labels_do_not_count_and_one_class_is_no_obstacle() -> None:
    metrics = calibration_metrics(np.array([1.0, np.nan, 1]), np.array([0.8, 0.1, 0.6]))
    assert metrics["brier"][0] == pytest.approx((0.04 + 0.16) / 2)
    assert metrics["ece"][0] == pytest.approx((0.2 + 0.4) / 2)
    assert np.isnan(calibration_metrics(np.array([np.nan]), np.array([0.5]))["brier"][0])
    assert len(reliability_curve(np.array([np.nan]), np.array([0.5])).studies) == 0
