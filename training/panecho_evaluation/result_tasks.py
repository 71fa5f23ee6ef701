"""The tasks of results, from the columns of their tables."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from panecho_client.outputs import variables
from panecho_evaluation.errors import EvaluationError
from panecho_model.tasks import TASKS, Task

__all__ = ["task_columns", "task_of"]


def task_columns(names: Sequence[str], told: Mapping[str, Task]) -> dict[Task, list[str]]:
    """Return the columns of each task of a wide table, in the order of the task's classes.

    Args:
        names: Columns of the table, without those that are of no task.
        told: Tasks of the long table next to it; empty where there is none, and tasks are the released ones.

    Raises:
        EvaluationError: A column is of no known task.
    """
    columns = _found(names, told.values() or TASKS)
    known = {variable.name for variable in variables(columns)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise EvaluationError(
            f"the column {unknown[0]!r} is not of a task of the released model, and studies.csv alone does not tell "
            "what it is; keep predictions.csv next to it, as `panecho predict --output` writes them."
            if not told
            else f"the column {unknown[0]!r} of studies.csv is of no task in predictions.csv next to it."
        )
    return columns


def _found(names: Collection[str], tasks: Iterable[Task]) -> dict[Task, list[str]]:
    """Return the columns of those tasks of which a table has all."""
    tasks, columns = tuple(tasks), dict[Task, list[str]]()
    made = [variable for variable in variables(tasks) if variable.role == "value"]
    for task in tasks:
        of_class = {variable.class_name: variable.name for variable in made if variable.task == task.key}
        classes = task.classes if task.kind == "multiclass" else [task.positive_class]
        if {*of_class.values()} <= {*names}:
            columns[task] = [of_class[name] for name in classes]
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


def _alike(released: Task, found: Task) -> bool:
    """Tell whether a task of the results is the released task of its name; tables order classes by severity."""
    if released.kind == "binary":
        return found.kind == "binary" and released.positive_class == found.positive_class
    return (released.kind, released.unit, {*released.classes}) == (found.kind, found.unit, {*found.classes})
