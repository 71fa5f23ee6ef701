"""The tasks of results, from the columns of their tables."""

from collections.abc import Sequence

from panecho_evaluation.errors import EvaluationError
from panecho_model.tasks import TASKS, Task

__all__ = ["released_task", "task_columns", "task_of"]


def task_columns(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns of each task; of a multi-class task there is one per class, ``AVStenosis:Severe``."""
    columns: dict[str, list[str]] = {}
    for name in names:
        columns.setdefault(name.partition(":")[0], []).append(name)
    return columns


def task_of(key: str, classes: Sequence[str], unit: str | None = None) -> Task:
    """Return a task by its name and the classes whose probabilities its results hold.

    What only the model knows (description, the other class of a binary task) is that of the released task of this name.

    Args:
        key: Name of the task.
        classes: None for a measurement, the positive class of a binary task, else all classes.
        unit: Unit of a measurement; None for a ratio.
    """
    released = next((task for task in TASKS if task.key == key), None)
    if len(classes) > 1:
        task = Task(key=key, kind="multiclass", group="", description="", classes=tuple(classes))
    elif classes:
        task = Task(key=key, kind="binary", group="", description="", classes=(f"not {classes[0]}", classes[0]))
    else:
        task = Task(key=key, kind="regression", group="", description="", unit=unit)
    return released if released and _alike(released, task) else task


def released_task(key: str, columns: Sequence[str]) -> Task:
    """Return the task of a wide table's columns, where there is no long table that tells it.

    Raises:
        EvaluationError: It is no released task, so whether it is a probability or a measurement is not known.
    """
    if len(columns) > 1:
        return task_of(key, [column.partition(":")[2] for column in columns])
    released = next((task for task in TASKS if task.key == key), None)
    if released is None:
        raise EvaluationError(
            f"{key!r} is not a task of the released model, and studies.csv alone does not tell what it is; "
            "keep predictions.csv next to it, as `panecho predict --output` writes them."
        )
    return released


def _alike(released: Task, found: Task) -> bool:
    """Tell whether a task of the results is the released task of its name."""
    if released.kind == "binary":
        return found.kind == "binary" and released.positive_class == found.positive_class
    return (released.kind, released.unit, released.classes) == (found.kind, found.unit, found.classes)
