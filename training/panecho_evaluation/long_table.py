"""Tables with a row per study or video, task and class: ``predictions.csv``."""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from panecho_client.outputs import status_code
from panecho_evaluation.arrays import Floats
from panecho_evaluation.csv_files import OnProgress, read_rows
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.origin import OriginReader
from panecho_evaluation.result_tasks import task_of
from panecho_model.tasks import Task

__all__ = ["LongTable", "first_tasks", "read_long"]

COLUMNS = ("study", "patient", "video", "status", "task", "class", "value", "unit")
NO_UNIT = "1"


@dataclass(frozen=True, kw_only=True)
class LongTable:
    """N studies and V videos that were used.

    Attributes:
        tasks: What was predicted.
        studies: Names of the studies, [N].
        patients: Names of their patients, [N]; empty where there is none.
        values: Predictions of the studies by task, [N, C]; NaN where one is missing.
        video_study: Index of each video's study, [V].
        video_values: Predictions of the videos by task, [V, C].
        skipped: Files that were not used, by status code.
        origin: Whose predictions these are.
    """

    tasks: tuple[Task, ...]
    studies: tuple[str, ...]
    patients: tuple[str, ...]
    values: Mapping[str, Floats]
    video_study: NDArray[np.intp]
    video_values: Mapping[str, Floats]
    skipped: Mapping[str, int]
    origin: Mapping[str, str]


class _Tasks:
    """Tasks of a table, and the columns that its values get."""

    def __init__(self) -> None:
        self.columns: dict[tuple[str, str], int] = {}
        self._classes: dict[str, list[str]] = {}
        self._units: dict[str, str | None] = {}

    def column(self, task: str, class_label: str, unit: str) -> int:
        column = self.columns.get((task, class_label))
        if column is None:
            column = self.columns[task, class_label] = len(self.columns)
            class_name = class_label.removeprefix(f"{task}:")
            self._classes.setdefault(task, []).extend([class_name] if class_name else [])
            self._units[task] = None if unit == NO_UNIT else unit
        return column

    def tasks(self) -> dict[str, Task]:
        return {key: task_of(key, classes, self._units[key]) for key, classes in self._classes.items()}

    def split(self, table: Floats) -> dict[str, Floats]:
        return {key: table[:, self._places(task)] for key, task in self.tasks().items()}

    def _places(self, task: Task) -> list[int]:
        """Return a task's columns, of a multi-class task in the order of its classes."""
        places = {label: place for (of, label), place in self.columns.items() if of == task.key}
        if task.kind != "multiclass":
            return [*places.values()]
        return [places[f"{task.key}:{name}"] for name in task.classes]


@dataclass
class _Cells:
    """Numbers of a table that is filled cell by cell: 16 bytes each, whatever it comes to hold."""

    rows: "array[int]" = field(default_factory=lambda: array("i"))
    columns: "array[int]" = field(default_factory=lambda: array("i"))
    numbers: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, row: int, column: int, number: float) -> None:
        self.rows.append(row)
        self.columns.append(column)
        self.numbers.append(number)

    def table(self, rows: int, columns: int) -> Floats:
        table = np.full((rows, columns), np.nan)
        table[np.array(self.rows, np.intp), np.array(self.columns, np.intp)] = np.array(self.numbers)
        return table

    def holds_twice(self, columns: int) -> int | None:
        """Return a row that has two numbers in a column."""
        cells, times = np.unique(np.array(self.rows, np.int64) * columns + np.array(self.columns), return_counts=True)
        return int(cells[times > 1][0] // columns) if (times > 1).any() else None


def read_long(path: Path, on_progress: OnProgress = lambda _: None) -> LongTable:
    """Read a table with a row per study or video, task and class.

    Raises:
        EvaluationError: It is not such a table, or it holds what is not a number, a study twice, or two models.
    """
    studies: dict[str, int] = {}
    patients: list[str] = []
    videos: dict[tuple[int, str], int] = {}
    found, of_studies, of_videos = _Tasks(), _Cells(), _Cells()
    skipped: Counter[str] = Counter()
    with read_rows(path, on_progress) as (header, _, rows):
        origin = OriginReader(path, header)
        places = _places(path, header)
        for _, row in rows:
            origin.read(row)
            name, patient, video, status, task, class_label, value, unit = (row[place] for place in places)
            study = studies.setdefault(name, len(studies))
            if study == len(patients):
                patients.append(patient)
            if not task:
                skipped[status_code(status)] += 1
                continue
            column = found.column(task, class_label, unit)
            number = _number(path, name, value)
            if video:
                of_videos.add(videos.setdefault((study, video), len(videos)), column, number)
            else:
                of_studies.add(study, column, number)
    width = len(found.columns)
    twice = of_studies.holds_twice(width)
    if twice is not None:
        raise EvaluationError(f"{path} holds the study {tuple(studies)[twice]} more than once; keep one of them.")
    return LongTable(
        tasks=tuple(found.tasks().values()),
        studies=tuple(studies),
        patients=tuple(patients),
        values=found.split(of_studies.table(len(studies), width)),
        video_study=np.array([study for study, _ in videos], np.intp),
        video_values=found.split(of_videos.table(len(videos), width)),
        skipped=skipped,
        origin=origin.origin,
    )


def first_tasks(path: Path) -> dict[str, Task]:
    """Return the tasks of a table's first study; none where there is no such table.

    Raises:
        EvaluationError: It is not such a table.
    """
    if not path.is_file():
        return {}
    found = _Tasks()
    first: str | None = None
    with read_rows(path) as (header, _, rows):
        places = _places(path, header)
        for _, row in rows:
            study, _, video, _, task, class_label, _, unit = (row[place] for place in places)
            first = first or study
            if video or study != first:
                break
            found.column(task, class_label, unit)
    return found.tasks()


def _places(path: Path, header: Sequence[str]) -> list[int]:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise EvaluationError(f"{path} is not a table of predictions: it has no column {missing[0]}.")
    return [header.index(name) for name in COLUMNS]


def _number(path: Path, study: str, text: str) -> float:
    try:
        return float(text) if text else np.nan
    except ValueError:
        raise EvaluationError(f"{path} is damaged at study {study}: {text!r} is not a number.") from None
