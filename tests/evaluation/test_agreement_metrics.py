"""Accuracy and kappa against scikit-learn; the order of grades."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix

from panecho_evaluation.agreement_metrics import agreement_metrics, confusion_matrix
from panecho_evaluation.grades import grade_order
from panecho_model.tasks import TASKS


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("seed", range(10))
def test_equal_scikit_learn_on_every_resample(classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, 30)
    called = np.where(rng.random(30) < 0.6, labels, rng.integers(0, classes, 30))
    counts = rng.integers(0, 3, (6, 30)).astype(np.int32)
    metrics = agreement_metrics(labels.astype(np.float64), called, classes, graded=True, counts=counts)
    for number, times in enumerate(counts):
        y, c = np.repeat(labels, times), np.repeat(called, times)
        assert metrics["accuracy"][number] == pytest.approx(accuracy_score(y, c))
        for name, weights in {"kappa": None, "kappa_linear": "linear", "kappa_quadratic": "quadratic"}.items():
            expected = cohen_kappa_score(y, c, weights=weights, labels=range(classes))
            assert metrics[name][number] == pytest.approx(expected, nan_ok=True), name
    assert (
        confusion_matrix(labels.astype(np.float64), called, classes)
        == sklearn_confusion_matrix(labels, called, labels=range(classes))
    ).all()


def test_closed_forms() -> None:
    # Off by one grade in one of four studies; chance agreement by hand: rows 2, 1, 1 and columns 1, 2, 1 of 4.
    metrics = agreement_metrics(np.array([0.0, 0, 1, 2]), np.array([0, 1, 1, 2]), 3, graded=True)
    chance = (2 * 1 + 1 * 2 + 1 * 1) / 16
    assert metrics["accuracy"][0] == 0.75
    assert metrics["kappa"][0] == pytest.approx((0.75 - chance) / (1 - chance))
    # Unlike classes have no weights.
    assert set(agreement_metrics(np.array([0.0]), np.array([0]), 3, graded=False)) == {"accuracy", "kappa"}


def test_of_one_class_kappa_is_not_defined() -> None:
    metrics = agreement_metrics(np.array([1.0, 1, np.nan]), np.array([1, 1, 0]), 3, graded=True)
    assert metrics["accuracy"][0] == 1
    assert np.isnan(metrics["kappa_quadratic"][0])


def test_every_released_class_of_several_is_a_grade() -> None:
    for task in TASKS:
        if task.kind == "multiclass":
            order = grade_order(task.classes)
            assert order is not None, task.key
            names = [task.classes[index] for index in order]
            assert names[0].startswith(("None", "Normal"))
            assert "Severe" in names[-1]


def test_classes_that_are_no_grades_have_no_order() -> None:
    assert grade_order(["A4C", "PLAX", "PSAX"]) is None
    assert grade_order(["Mild", "Mildly Increased"]) is None
    assert grade_order(["Severe", "Moderate", "Mild", "None"]) == (3, 2, 1, 0)
