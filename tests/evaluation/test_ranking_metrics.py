"""AUROC and average precision against scikit-learn, and against a count of pairs."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from panecho_evaluation.arrays import Floats
from panecho_evaluation.ranking_metrics import auroc, average_precision, ranking_metrics

SCORES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "distinct": lambda rng, n: rng.random(n),
    "ties": lambda rng, n: np.round(rng.random(n), 1),
    "many ties": lambda rng, n: rng.integers(0, 2, n) / 2,
    "all tied": lambda _, n: np.full(n, 0.3),
}


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize("seed", range(10))
def test_equal_scikit_learn_on_every_resample(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 50))
    labels = rng.integers(0, 2, size).astype(np.float64)
    scores = SCORES[kind](rng, size)
    counts = rng.integers(0, 3, (10, size)).astype(np.int32)
    metrics = ranking_metrics(labels, scores, counts)
    for number, times in enumerate(counts):
        y, p = np.repeat(labels, times), np.repeat(scores, times)
        found = metrics["auroc"][number], metrics["average_precision"][number]
        if len(np.unique(y)) < 2:
            assert np.isnan(found).all()
        else:
            assert found == pytest.approx((roc_auc_score(y, p), average_precision_score(y, p)), abs=1e-12)


def pairs_won(labels: Floats, scores: Floats) -> float:
    won = [(high > low) + (high == low) / 2 for high in scores[labels == 1] for low in scores[labels == 0]]
    return float(np.mean(won))


def test_auroc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(3)
    labels, scores = rng.integers(0, 2, 40).astype(np.float64), np.round(rng.random(40), 1)
    assert auroc(labels, scores)[0] == pytest.approx(pairs_won(labels, scores))


def test_closed_forms() -> None:
    assert auroc(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4]))[0] == 1
    assert auroc(np.array([1.0, 1, 0, 0]), np.array([0.1, 0.2, 0.3, 0.4]))[0] == 0
    assert auroc(np.array([0.0, 1]), np.array([0.5, 0.5]))[0] == 0.5
    # One positive at place k from the top: precision there is 1 / k.
    assert average_precision(np.array([0.0, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1]))[0] == pytest.approx(1 / 3)
    # Nothing but ties: the prevalence.
    assert average_precision(np.array([0.0, 0, 1, 0]), np.full(4, 0.2))[0] == pytest.approx(1 / 4)


def test_missing_labels_and_scores_do_not_count() -> None:
    labels = np.array([0.0, 1, np.nan, 1, 0])
    scores = np.array([0.1, 0.4, 0.9, np.nan, 0.5])
    assert auroc(labels, scores)[0] == auroc(np.array([0.0, 1, 0]), np.array([0.1, 0.4, 0.5]))[0] == 0.5


@pytest.mark.parametrize("label", [0.0, 1.0, np.nan])
def test_of_one_class_or_none_nothing_is_defined(label: float) -> None:
    metrics = ranking_metrics(np.full(3, label), np.array([0.1, 0.2, 0.3]))
    assert np.isnan([metrics["auroc"][0], metrics["average_precision"][0]]).all()
    assert np.isnan(ranking_metrics(np.empty(0), np.empty(0))["auroc"][0])


def test_large_counts_do_not_overflow() -> None:
    labels, scores = np.array([0.0, 1, 1]), np.array([0.2, 0.1, 0.3])
    counts = np.array([[100_000, 70_000, 70_000]], np.int32)
    assert ranking_metrics(labels, scores, counts)["auroc"][0] == 0.5
