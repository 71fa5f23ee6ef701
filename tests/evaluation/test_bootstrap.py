"""Intervals: of known width, of the right coverage, by patient, and the same whenever they are asked for."""

import numpy as np
import pytest
from numpy.typing import NDArray

from panecho_evaluation.arrays import Floats
from panecho_evaluation.bootstrap import Resampling, percentile_interval, wilson_interval
from panecho_evaluation.cohort import Cohort
from panecho_evaluation.estimates import Estimate, estimate_cohort
from panecho_evaluation.measurement_metrics import measurement_metrics
from panecho_model.tasks import Task

EF = Task(key="EF", kind="regression", group="", description="", unit="%")


def test_resamples_do_not_depend_on_how_many_are_drawn_at_a_time() -> None:
    resampling = Resampling(patients=7, rounds=11, seed=5)
    whole = np.concatenate(list(resampling.counts()))
    by_one = np.concatenate(list(resampling.counts(cells=1)))
    assert whole.shape == (11, 7)
    assert (whole == by_one).all()
    assert (whole.sum(axis=1) == 7).all()
    assert (whole != np.concatenate(list(Resampling(patients=7, rounds=11, seed=6).counts()))).any()


def test_the_interval_of_a_mean_has_the_width_of_theory() -> None:
    rng = np.random.default_rng(0)
    labels, predictions = np.zeros(400), rng.normal(0, 1, 400)
    resampling = Resampling(patients=400, rounds=4000)
    bias = np.concatenate([measurement_metrics(labels, predictions, counts)["bias"] for counts in resampling.counts()])
    interval = percentile_interval(bias, 400)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * predictions.std() / 20, rel=0.05)


def bias_of(labels: Floats, predictions: Floats, patients: NDArray[np.intp], rounds: int = 400) -> Estimate:
    cohort = Cohort(name="all", patients=patients, labels={"EF": labels}, runs={"a": {"EF": predictions[:, None]}})
    resampling = Resampling(patients=int(patients.max()) + 1, rounds=rounds)
    return next(of for of in estimate_cohort(cohort, [EF], {}, resampling) if of.metric == "bias")


@pytest.mark.parametrize("cohorts", [60, pytest.param(300, marks=pytest.mark.long)])
def test_coverage_by_patient_is_right_and_by_study_would_not_be(cohorts: int) -> None:
    """Cohorts of 40 patients with 5 studies each, whose errors are mostly the patient's."""
    rng = np.random.default_rng(1)
    patients = np.repeat(np.arange(40), 5)
    covered = {"patient": 0, "study": 0}
    for _ in range(cohorts):
        errors = np.repeat(rng.normal(0, 5, 40), 5) + rng.normal(0, 1, 200)
        labels = rng.normal(55, 10, 200)
        for unit, of in {"patient": patients, "study": np.arange(200)}.items():
            estimate = bias_of(labels, labels + errors, of)
            covered[unit] += estimate.low <= 0 <= estimate.high
    chance = 2.5 * np.sqrt(0.94 * 0.06 / cohorts)
    assert covered["patient"] / cohorts == pytest.approx(0.94, abs=chance)  # the percentile method is a little narrow
    assert covered["study"] / cohorts < 0.8


def test_one_patient_has_no_interval() -> None:
    estimate = bias_of(np.array([50.0, 60]), np.array([55.0, 61]), np.array([0, 0]))
    assert estimate.value == 3
    assert np.isnan([estimate.low, estimate.high]).all()
    assert (estimate.studies, estimate.patients) == (2, 1)


def test_a_metric_that_few_resamples_have_gets_no_interval() -> None:
    values = np.array([0.5, 0.6, np.nan, np.nan, np.nan])
    assert np.isnan(percentile_interval(values, 10).low)
    assert percentile_interval(values[:3], 10).low == pytest.approx(0.5025)


def test_wilson() -> None:
    # The example of 0 of 10, and its mirror; values of R's prop.test(0, 10, correct=FALSE).
    assert wilson_interval(0, 10).low == 0
    assert wilson_interval(0, 10).high == pytest.approx(0.2775, abs=1e-4)
    assert wilson_interval(1, 10).low == pytest.approx(0.7225, abs=1e-4)
    assert np.isnan(wilson_interval(1, 0).low)
