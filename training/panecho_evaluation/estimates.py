"""Every number of an evaluation, with its interval."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from panecho_evaluation.arrays import Counts, Floats
from panecho_evaluation.bootstrap import Resampling, percentile_interval, wilson_interval
from panecho_evaluation.cohort import Cohort
from panecho_evaluation.task_metrics import DEFAULT_THRESHOLD, MetricKey, TaskSample, Thresholds, task_metrics
from panecho_model.tasks import Task

__all__ = ["Estimate", "RunThresholds", "estimate_cohort"]

RunThresholds: TypeAlias = Mapping[tuple[str, str], Thresholds]
"""Thresholds by run and task."""

Progress: TypeAlias = Callable[[float], None]

SHARES = ("sensitivity", "specificity", "ppv", "npv")


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A metric of a task, or how much it differs between two runs.

    Attributes:
        run: Name of the run.
        reference: Run that is subtracted; empty for the metric itself.
        cohort: Which studies: ``all``, or what they have in common.
        task: Name of the task.
        class_name: Class that is compared with all others; empty for a metric of the whole task.
        metric: Name of the metric.
        value: Of the studies as they are; NaN where it is not defined.
        low: Lower end of the 95 % confidence interval; NaN where there is none.
        high: Upper end.
        studies: Number of studies, or of videos.
        patients: Number of patients.
    """

    run: str
    reference: str = ""
    cohort: str
    task: str
    class_name: str
    metric: str
    value: float
    low: float
    high: float
    studies: int
    patients: int


@dataclass(frozen=True)
class _Measured:
    """A metric of a sample, and of each resample."""

    value: float
    resampled: Floats


_Table: TypeAlias = dict[MetricKey, _Measured]


def estimate_cohort(
    cohort: Cohort,
    tasks: Sequence[Task],
    thresholds: RunThresholds,
    resampling: Resampling,
    on_progress: Progress = lambda _: None,
) -> list[Estimate]:
    """Return every metric of a cohort, and how each run after the first differs from it.

    Args:
        cohort: Labels and predictions.
        tasks: Tasks to evaluate, all of them in the cohort.
        thresholds: By run and task.
        resampling: Of all patients of the evaluation, so that cohorts share resamples.
        on_progress: Called with the share of this cohort's work that is done, from 0 to 1.
    """
    samples = [
        (run, sample, thresholds.get((run, task.key), {}))
        for task in tasks
        for run, sample in cohort.samples(task).items()
    ]
    tables = _measure([(sample, given) for _, sample, given in samples], resampling, on_progress)
    estimates: list[Estimate] = []
    reference: tuple[str, _Table] = ("", {})
    for (run, sample, given), table in zip(samples, tables, strict=True):
        estimates += _estimates(cohort.name, run, sample, given, table)
        if run == next(iter(cohort.runs)):
            reference = (run, table)
        else:
            estimates += _differences(cohort.name, run, sample, table, reference)
    return estimates


def _measure(
    samples: Sequence[tuple[TaskSample, Thresholds]], resampling: Resampling, on_progress: Progress
) -> list[_Table]:
    """Return the metrics of each sample, all of the same resamples of patients."""
    points = [task_metrics(sample, thresholds) for sample, thresholds in samples]
    parts: list[list[dict[MetricKey, Floats]]] = [[] for _ in samples]
    done = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for counts in resampling.counts():
            for number, metrics in enumerate(pool.map(partial(_resampled, counts), samples)):
                parts[number].append(metrics)
                on_progress((done + len(counts) * (number + 1) / len(samples)) / resampling.rounds)
            done += len(counts)
    return [
        {key: _Measured(float(values[0]), _joined(part, key)) for key, values in point.items()}
        for point, part in zip(points, parts, strict=True)
    ]


def _resampled(counts: Counts, sample: tuple[TaskSample, Thresholds]) -> dict[MetricKey, Floats]:
    of, thresholds = sample
    return task_metrics(of, thresholds, counts.take(of.patients, axis=1))


def _joined(parts: Sequence[Mapping[MetricKey, Floats]], key: MetricKey) -> Floats:
    return np.concatenate([part[key] for part in parts]) if parts else np.empty(0)


def _estimates(cohort: str, run: str, sample: TaskSample, thresholds: Thresholds, table: _Table) -> Iterator[Estimate]:
    patients = sample.patient_count
    for (class_name, metric), measured in table.items():
        interval = percentile_interval(measured.resampled, patients)
        if metric in SHARES and measured.value in (0, 1) and interval.low == interval.high:
            interval = wilson_interval(measured.value, _patients_of(metric, class_name, sample, thresholds))
        yield Estimate(
            run=run,
            cohort=cohort,
            task=sample.task.key,
            class_name=class_name,
            metric=metric,
            value=measured.value,
            low=interval.low,
            high=interval.high,
            studies=len(sample.labels),
            patients=patients,
        )


def _differences(
    cohort: str, run: str, sample: TaskSample, table: _Table, reference: tuple[str, _Table]
) -> Iterator[Estimate]:
    patients = sample.patient_count
    for key, measured in table.items():
        other = reference[1][key]
        interval = percentile_interval(measured.resampled - other.resampled, patients)
        yield Estimate(
            run=run,
            reference=reference[0],
            cohort=cohort,
            task=sample.task.key,
            class_name=key[0],
            metric=key[1],
            value=measured.value - other.value,
            low=interval.low,
            high=interval.high,
            studies=len(sample.labels),
            patients=patients,
        )


def _patients_of(metric: str, class_name: str, sample: TaskSample, thresholds: Thresholds) -> int:
    """Return the number of patients that a share is of."""
    labels, probabilities = sample.findings[class_name]
    called = probabilities >= thresholds.get(class_name, DEFAULT_THRESHOLD)
    rows = {"sensitivity": labels == 1, "specificity": labels == 0, "ppv": called, "npv": ~called}
    return len(np.unique(sample.patients[rows[metric]]))
