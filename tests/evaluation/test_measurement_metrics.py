"""Metrics of measurements against scikit-learn, and against formulas written out."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score, root_mean_squared_error

from panecho_evaluation.measurement_metrics import measurement_metrics


@pytest.mark.parametrize("seed", range(20))
def test_equal_scikit_learn_on_every_resample(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.round(rng.normal(55, 12, 30))  # with ties
    predictions = labels + rng.normal(1, 6, 30)
    counts = rng.integers(0, 3, (8, 30)).astype(np.int32)
    metrics = measurement_metrics(labels, predictions, counts)
    for round_, times in enumerate(counts):
        drawn = np.repeat(np.arange(30), times)
        y, p = labels[drawn], predictions[drawn]
        difference = p - y
        expected = {
            "mae": mean_absolute_error(y, p),
            "mse": mean_squared_error(y, p),
            "rmse": root_mean_squared_error(y, p),
            "r2": r2_score(y, p),
            "nmae": mean_absolute_error(y, p) / np.mean(y),
            "bias": np.mean(difference),
            "sd": np.std(difference, ddof=1),
            "loa_low": np.mean(difference) - 1.96 * np.std(difference, ddof=1),
            "loa_high": np.mean(difference) + 1.96 * np.std(difference, ddof=1),
        }
        assert metrics.keys() == expected.keys()
        for name, value in expected.items():
            assert metrics[name][round_] == pytest.approx(value, rel=1e-10), name


def test_without_counts_it_is_the_sample_itself() -> None:
    metrics = measurement_metrics(np.array([50.0, 60, 40]), np.array([55.0, 59, 40]))
    assert metrics["mae"].shape == (1,)
    assert metrics["mae"][0] == pytest.approx(2)
    assert metrics["bias"][0] == pytest.approx(4 / 3)


def test_a_missing_label_or_prediction_does_not_count() -> None:
    labels = np.array([50.0, np.nan, 40, 70])
    predictions = np.array([55.0, 10, 44, np.nan])
    metrics = measurement_metrics(labels, predictions)
    whole = measurement_metrics(labels[[0, 2]], predictions[[0, 2]])
    assert {name: value[0] for name, value in metrics.items()} == {name: value[0] for name, value in whole.items()}


def test_what_is_not_defined_is_nan() -> None:
    constant = measurement_metrics(np.full(4, 55.1), np.array([50.0, 51, 52, 53]))
    assert np.isnan(constant["r2"][0])
    assert constant["mae"][0] == pytest.approx(3.6)
    one = measurement_metrics(np.array([55.0]), np.array([50.0]))
    assert one["bias"][0] == -5
    assert np.isnan([one["r2"][0], one["sd"][0], one["loa_low"][0]]).all()
    none = measurement_metrics(np.array([np.nan]), np.array([50.0]))
    assert all(np.isnan(value[0]) for value in none.values())


def test_large_offsets_lose_no_digits() -> None:
    rng = np.random.default_rng(0)
    labels = 1e6 + rng.normal(0, 1, 1000)
    predictions = labels + rng.normal(0, 0.1, 1000)
    metrics = measurement_metrics(labels, predictions)
    assert metrics["r2"][0] == pytest.approx(r2_score(labels, predictions), abs=1e-9)
    assert metrics["sd"][0] == pytest.approx(np.std(predictions - labels, ddof=1), rel=1e-9)
