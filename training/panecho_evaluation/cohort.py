"""Studies that are evaluated together: all of them, a subgroup, or all with fewer videos each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.arrays import Floats
from panecho_evaluation.task_metrics import TaskSample
from panecho_model.tasks import Task

__all__ = ["ALL", "Cohort", "Predicted"]

Predicted: TypeAlias = Mapping[str, Floats]
"""Predictions of each task, [N, C]."""

ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Labels of N studies, and what each model says about them.

    Attributes:
        name: ``all``, or what they have in common, such as ``sex=F``.
        patients: Number of each study's patient, [N]; the same in all cohorts of an evaluation.
        labels: Labels of each task, [N], NaN where one is missing; see ``TaskSample``.
        runs: Predictions of each model or run, by its name.
    """

    name: str
    patients: NDArray[np.intp]
    labels: Mapping[str, Floats]
    runs: Mapping[str, Predicted]

    def __len__(self) -> int:
        """Return the number of studies."""
        return len(self.patients)

    def take(self, name: str, rows: NDArray[Any]) -> Self:
        """Return some of the studies, by their index or bool [N]."""
        return replace(
            self,
            name=name,
            patients=self.patients[rows],
            labels={task: labels[rows] for task, labels in self.labels.items()},
            runs={
                run: {task: values[rows] for task, values in predicted.items()} for run, predicted in self.runs.items()
            },
        )

    def samples(self, task: Task) -> dict[str, TaskSample]:
        """Return each run's sample of a task: the same studies in all, those that every run has a prediction of."""
        predictions = [run[task.key] for run in self.runs.values()]
        used = np.logical_and.reduce([np.isfinite(values).all(axis=1) for values in predictions])
        labels = np.where(used, self.labels[task.key], np.nan)
        return {
            run: TaskSample.of(task, labels, values, self.patients)
            for run, values in zip(self.runs, predictions, strict=True)
        }


def tasks_in(tasks: Sequence[Task], labels: Mapping[str, Floats], runs: Mapping[str, Predicted]) -> tuple[Task, ...]:
    """Return the tasks that have a label and that every run predicts."""
    return tuple(
        task
        for task in tasks
        if task.key in labels
        and np.isfinite(labels[task.key]).any()
        and all(task.key in predicted for predicted in runs.values())
    )
