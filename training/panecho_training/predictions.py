"""Predictions of a split as a table: a row per study, by the first row of the table of videos that is of it."""

import csv
import io

import numpy as np

from panecho_model.tasks import Task
from panecho_training.networks import Network
from panecho_training.run_folder import RunFolder
from panecho_training.table import Table
from panecho_training.validation import Logits, study_cohort

__all__ = ["write_predictions"]


def write_predictions(folder: RunFolder, name: str, network: Network, table: Table, logits: Logits) -> None:
    """Write what the network reports of each study, and its labels; rows stand for studies, no name does."""
    cohort = study_cohort(network, table, logits)
    (predicted,) = cohort.runs.values()
    first = {study: int(row) for study, row in reversed(list(zip(table.studies, table.rows, strict=True)))}
    studies = list(dict.fromkeys(table.studies))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    columns = {task.key: _columns(task) for task in network.tasks}
    writer.writerow(["row", *(name for key, names in columns.items() for name in (*names, f"label:{key}"))])
    for place, study in enumerate(studies):
        cells: list[object] = [first[study]]
        for key in columns:
            label = cohort.labels[key][place]
            cells += [*(f"{value:.9g}" for value in predicted[key][place]), "" if np.isnan(label) else f"{label:.6g}"]
        writer.writerow(cells)
    folder.write(name, text.getvalue())


def _columns(task: Task) -> list[str]:
    return [f"{task.key}:{name}" for name in task.classes] if task.kind == "multiclass" else [task.key]
