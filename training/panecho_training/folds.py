"""Joins the runs of all folds: every study is tested once, by the run that has not seen it."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.bootstrap import number_patients
from panecho_evaluation.cohort import ALL, Cohort
from panecho_training.errors import RunError
from panecho_training.model_card import as_json, estimates_of
from panecho_training.recipe import Recipe
from panecho_training.run_folder import RunFolder
from panecho_training.table import read_table
from panecho_training.task_choice import candidate_tasks, chosen_tasks

__all__ = ["join_folds"]

PREDICTIONS = "predictions-test.csv"


def join_folds(table: Path, recipe: Recipe, folders: Sequence[Path], output: Path) -> None:
    """Write the metrics of the union of the test folds to ``metrics.json``, and all predictions.

    Raises:
        RunError: A run's predictions are missing.
    """
    videos, _ = read_table(table, candidate_tasks(recipe.tasks))
    tasks = chosen_tasks(videos, recipe.tasks)
    rows = [row for folder in folders for row in _read(folder / PREDICTIONS)]
    patient_of = dict(zip((str(row) for row in videos.rows), videos.patients, strict=True))
    patients, _ = number_patients([patient_of[row["row"]] for row in rows])
    predictions = {}
    for task in tasks:
        names = [f"{task.key}:{name}" for name in task.classes] if task.kind == "multiclass" else [task.key]
        predictions[task.key] = np.stack([_column(rows, name) for name in names], axis=1)
    labels = {task.key: _column(rows, f"label:{task.key}") for task in tasks}
    cohort = Cohort(name=ALL, patients=patients, labels=labels, runs={"run": predictions})
    union = as_json(estimates_of(cohort, tasks))
    RunFolder(output).write("metrics.json", json.dumps({"test": union}, indent=1) + "\n")


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}; run that fold again.") from None


def _column(rows: Sequence[dict[str, str]], name: str) -> NDArray[np.float64]:
    return np.array([float(row[name] or "nan") for row in rows])
