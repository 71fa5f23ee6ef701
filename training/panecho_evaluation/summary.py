"""The middle of a metric over all tasks that have it, as PanEcho is published."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from panecho_evaluation.cohort import ALL
from panecho_evaluation.evaluation import Evaluation

__all__ = ["Summary", "summaries"]

SUMMARISED = {"auroc": "classification tasks", "nmae": "measurements", "r2": "measurements"}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A metric over tasks.

    Attributes:
        run: Name of the run.
        metric: Name of the metric.
        tasks: Number of tasks that have it.
        kind: What these tasks are.
        median: Over the tasks.
        lower: First quartile.
        upper: Third quartile.
    """

    run: str
    metric: str
    tasks: int
    kind: str
    median: float
    lower: float
    upper: float


def summaries(evaluation: Evaluation) -> Iterator[Summary]:
    """Return median and quartiles of AUROC, normalised MAE and R² over the tasks of each run.

    A multi-class task counts once, with the mean over its classes.
    """
    binary = {task.key: task.positive_class for task in evaluation.tasks if task.kind == "binary"}
    for run in evaluation.runs:
        for metric, kind in SUMMARISED.items():
            values = [
                estimate.value
                for estimate in evaluation.estimates
                if (estimate.run, estimate.reference, estimate.cohort, estimate.metric) == (run, "", ALL, metric)
                and estimate.class_name == binary.get(estimate.task, "")
                and np.isfinite(estimate.value)
            ]
            if values:
                lower, median, upper = np.quantile(values, (0.25, 0.5, 0.75))
                yield Summary(
                    run=run,
                    metric=metric,
                    tasks=len(values),
                    kind=kind,
                    median=float(median),
                    lower=float(lower),
                    upper=float(upper),
                )
