"""All metrics of one task."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.agreement_metrics import agreement_metrics
from panecho_evaluation.arrays import Counts, Floats, Metrics
from panecho_evaluation.calibration_metrics import calibration_metrics
from panecho_evaluation.grades import grade_order
from panecho_evaluation.measurement_metrics import measurement_metrics
from panecho_evaluation.ranking_metrics import ranking_metrics
from panecho_evaluation.threshold_metrics import threshold_metrics
from panecho_model.tasks import Task

__all__ = ["MetricKey", "TaskSample", "Thresholds", "task_metrics"]

MetricKey: TypeAlias = tuple[str, str]
"""Class, empty for a metric of the whole task, and name of the metric."""

Thresholds: TypeAlias = Mapping[str, float]
"""By class."""

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True, kw_only=True)
class TaskSample:
    """Labels and predictions of one task.

    Attributes:
        task: The task.
        labels: Measurement in the task's unit; 1 for the positive class of a binary task and 0 for the other; index of
            the class of a multi-class task; [N], none missing.
        predictions: Measurement, probability of the positive class, or probability of each class, [N, C].
        patients: Number of each study's patient, [N].
    """

    task: Task
    labels: Floats
    predictions: Floats
    patients: NDArray[np.intp]

    @classmethod
    def of(cls, task: Task, labels: Floats, predictions: Floats, patients: NDArray[np.intp]) -> Self:
        """Return the sample of the studies that have a label and a prediction."""
        used = np.isfinite(labels) & np.isfinite(predictions).all(axis=1)
        return cls(task=task, labels=labels[used], predictions=predictions[used], patients=patients[used])

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """Return some of the studies, bool [N]."""
        return replace(self, labels=self.labels[rows], predictions=self.predictions[rows], patients=self.patients[rows])

    @property
    def findings(self) -> dict[str, tuple[Floats, Floats]]:
        """Labels, 0 or 1, and probabilities of each class against all others, by its name."""
        if self.task.kind == "multiclass":
            columns = enumerate(self.task.classes)
            return {name: ((self.labels == n).astype(np.float64), self.predictions[:, n]) for n, name in columns}
        return {self.task.positive_class: (self.labels, self.predictions[:, 0])} if self.task.positive_class else {}

    @property
    def patient_count(self) -> int:
        """Number of patients."""
        return len(np.unique(self.patients))


def task_metrics(sample: TaskSample, thresholds: Thresholds, counts: Counts | None = None) -> dict[MetricKey, Floats]:
    """Return every metric of a task by class and name, each [B].

    A measurement has those of ``measurement_metrics``. Each class of a classification, against all others, has those
    of ``ranking_metrics``, ``calibration_metrics`` and ``threshold_metrics``. A multi-class task also has, as a whole:

    - ``auroc`` and ``average_precision``: the mean over its classes that have one, as PanEcho is evaluated
    - ``brier``: the sum over its classes
    - ``ece``: that of the most probable class (Guo et al., ICML 2017)
    - those of ``agreement_metrics``

    Args:
        sample: Labels and predictions.
        thresholds: From which probability on a class is called, 0.5 where it is not given.
        counts: How often each study is in each resample, [B, N].
    """
    if sample.task.kind == "regression":
        return _named("", measurement_metrics(sample.labels, sample.predictions[:, 0], counts))
    # Sums need floats: one conversion for all of them.
    weights = None if counts is None else counts.astype(np.float64)
    metrics: dict[MetricKey, Floats] = {}
    for name, (labels, probabilities) in sample.findings.items():
        threshold = thresholds.get(name, DEFAULT_THRESHOLD)
        metrics |= _named(name, ranking_metrics(labels, probabilities, counts))
        metrics |= _named(name, calibration_metrics(labels, probabilities, weights))
        metrics |= _named(name, threshold_metrics(labels, probabilities, threshold, weights))
    if sample.task.kind == "multiclass":
        metrics |= _named("", _whole(sample, metrics, weights))
    return metrics


def most_probable(sample: TaskSample) -> tuple[Floats, NDArray[np.int64], tuple[int, ...]]:
    """Return labels and most probable classes, as indices in the order of the grades, and that order of the classes.

    Classes that are not grades keep their order.
    """
    classes = sample.task.classes
    order = grade_order(classes) or tuple(range(len(classes)))
    places = np.argsort(order)
    labels = places[sample.labels.astype(np.int64)].astype(np.float64)
    return labels, places[np.argmax(sample.predictions, axis=1)], order


def _whole(sample: TaskSample, metrics: Mapping[MetricKey, Floats], counts: Counts | None) -> Metrics:
    classes = sample.task.classes
    labels, called, _ = most_probable(sample)
    top = calibration_metrics((labels == called).astype(np.float64), sample.predictions.max(axis=1), counts)
    graded = grade_order(classes) is not None
    return {
        "auroc": _mean([metrics[name, "auroc"] for name in classes]),
        "average_precision": _mean([metrics[name, "average_precision"] for name in classes]),
        "brier": np.sum([metrics[name, "brier"] for name in classes], axis=0),
        "ece": top["ece"],
        **agreement_metrics(labels, called, len(classes), graded=graded, counts=counts),
    }


def _mean(values: list[Floats]) -> Floats:
    """Return the mean over what is defined; NaN where nothing is."""
    table = np.stack(values)
    defined = np.isfinite(table)
    number = defined.sum(axis=0)
    return np.where(number, np.where(defined, table, 0).sum(axis=0) / np.maximum(number, 1), np.nan)


def _named(name: str, metrics: Metrics) -> dict[MetricKey, Floats]:
    return {(name, metric): values for metric, values in metrics.items()}
