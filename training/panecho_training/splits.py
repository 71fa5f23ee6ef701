"""The splits of a table that a run trains on, checked, and its tasks."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from panecho_model.tasks import Task
from panecho_training.errors import TableError, listed
from panecho_training.recipe import Recipe
from panecho_training.table import SPLITS, Table, read_table
from panecho_training.table_check import check_rows, check_splits
from panecho_training.task_choice import candidate_tasks, chosen_tasks, with_statistics

__all__ = ["Splits", "read_splits"]

Splits: TypeAlias = Mapping[str, Table]
"""Tables of train, val and test."""


def read_splits(path: Path, recipe: Recipe, say: Callable[[str], None]) -> tuple[Splits, tuple[Task, ...]]:
    """Read and check a table; return its splits, and the tasks to train with their statistics.

    Args:
        path: The table.
        recipe: Settings.
        say: Called with what leaves metrics undefined and stops nothing.

    Raises:
        TableError: It has faults; the text lists them.
    """
    table, faults = read_table(path, candidate_tasks(recipe.tasks))
    if table.folds != (recipe.folds or 0):
        faults.append(f"the table has {table.folds} folds and the recipe {recipe.folds or 0}; set folds in the recipe")
    hard, notes = check_splits(table, recipe.fold)
    faults += [*check_rows(table), *hard]
    if faults:
        raise TableError(f"{path} has {len(faults)} faults:{listed(faults)}")
    for note in notes:
        say(f"Note: {note}.")
    splits = {name: table.split(name, recipe.fold) for name in SPLITS}
    tasks = chosen_tasks(table, recipe.tasks)
    return splits, tuple(with_statistics(task, splits["train"]) for task in tasks)
