"""The tasks that a run trains: some of PanEcho's, and new ones that its recipe describes."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from panecho_model.errors import TaskError
from panecho_model.tasks import TASKS, Kind, Task, find_tasks
from panecho_training.errors import RecipeError, TableError
from panecho_training.table import Table

__all__ = ["NewTask", "candidate_tasks", "chosen_tasks", "with_statistics"]

KEY = re.compile(r"[A-Za-z][\w.|()+-]*")
RESERVED = {
    *("embedding", "video_status", "clip_logits", "clip_video", "key_frame", "logits", "clip_embedding"),
    *("study", "patient", "split", "video", "videos", "videos_used", "videos_skipped", "file", "path", "fold"),
}
"""Names of tensors of the server and of columns of tables."""


class NewTask(BaseModel):
    """A task that PanEcho does not have.

    Attributes:
        key: Name of the task: of its column in the table, of its output on the wire.
        kind: ``regression``, ``binary`` or ``multiclass``.
        description: What the number means, for reports.
        unit: Unit of a measurement; none for a ratio and for classes.
        group: Part of the heart, for reports.
        classes: Names of the classes; of a binary task the negative one, then the positive one, which is reported.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, Field(max_length=60)]
    kind: Kind
    description: Annotated[str, Field(min_length=1, max_length=200)]
    unit: str | None = None
    group: str = "Other"
    classes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "NewTask":
        if not KEY.fullmatch(self.key) or self.key in RESERVED:
            raise ValueError(f"{self.key!r} cannot name a task: a letter, then letters, digits and _ . | ( ) + -")
        if self.key.lower() in {task.key.lower() for task in TASKS}:
            raise ValueError(f"{self.key} is a task of PanEcho; name it without a description, or give it another key")
        count = len(set(self.classes))
        if count != len(self.classes) or any(not name.strip() or "\n" in name for name in self.classes):
            raise ValueError(f"{self.key}: two classes have one name, or a name is empty")
        fits = {"regression": count == 0, "binary": count == 2, "multiclass": count >= 3}[self.kind]
        if not fits or (self.unit and self.kind != "regression"):
            raise ValueError(
                f"{self.key}: a regression task has no classes, a binary one two, a multiclass one three or more"
            )
        return self

    def task(self) -> Task:
        """Return it as a task of a model."""
        return Task(
            key=self.key,
            kind=self.kind,
            group=self.group,
            description=self.description,
            unit=self.unit,
            classes=self.classes,
        )


def candidate_tasks(tasks: Sequence[str | NewTask] | None) -> tuple[Task, ...]:
    """Return the tasks that a recipe names, PanEcho's first; all of PanEcho's if it names none.

    Raises:
        RecipeError: PanEcho has no task of that name, or a new one is named twice.
    """
    if tasks is None:
        return TASKS
    keys = [task for task in tasks if isinstance(task, str)]
    new = [task.task() for task in tasks if isinstance(task, NewTask)]
    if len({task.key.lower() for task in new}) < len(new):
        raise RecipeError("two new tasks of the recipe have the same key.")
    try:
        return (*(find_tasks(keys) if keys else ()), *new)
    except TaskError as error:
        raise RecipeError(
            f"tasks of the recipe: {error} A new task is described with key, kind and description."
        ) from None


def chosen_tasks(table: Table, tasks: Sequence[str | NewTask] | None) -> tuple[Task, ...]:
    """Return the tasks to train: those of the recipe, all of which need a column; without any, those of the columns.

    Raises:
        TableError: A task of the recipe has no column.
    """
    missing = [task.key for task in candidate_tasks(tasks) if task not in table.tasks]
    if tasks is not None and missing:
        raise TableError(
            f"{table.path} has no column of {', '.join(missing)}; add it, or take the task out of the recipe."
        )
    return table.tasks


def with_statistics(task: Task, train: Table) -> Task:
    """Return a measurement with the mean and deviation of the training labels; other tasks as they are.

    Raises:
        TableError: It has no label in the training split.
    """
    labels = train.labels[task.key]
    labels = labels[np.isfinite(labels)]
    if not len(labels):
        raise TableError(f"{task.key} has no label in split train; add some, or take the task out of the recipe.")
    if task.kind != "regression":
        return task
    return replace(task, training_mean=float(labels.mean()), training_deviation=float(labels.std()) or 1.0)
