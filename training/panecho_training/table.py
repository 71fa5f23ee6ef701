"""Tables of labelled videos: a row per video, a column per task; the one format that training reads."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.csv_files import read_rows
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.label_values import LabelParser
from panecho_model.tasks import Task
from panecho_training.errors import TableError

__all__ = ["SPLITS", "Rows", "Table", "read_table"]

SPLITS = ("train", "val", "test")
IDENTIFYING = ("video", "study", "patient", "split")
ALIASES = {"file": "video", "path": "video", "fold": "split"}
SPLIT_NAMES = {"training": "train", "valid": "val", "validation": "val", "dev": "val", "testing": "test"}


@dataclass(frozen=True, kw_only=True)
class Table:
    """N labelled videos.

    Attributes:
        path: The file.
        sha256: Of the file.
        rows: Number of each row in the file, the header being 1, [N].
        videos: File of each video.
        studies: Study of each video; the video itself where the table does not say.
        patients: Patient of each video; the study where the table does not say.
        splits: ``train``, ``val``, ``test`` or the number of a fold.
        tasks: Tasks that have a column, in the order asked for.
        labels: By task, [N]: a measurement in the task's unit; 1 for the positive class of a binary task and 0 for the
            other; index of the class of a multi-class task; NaN where it is missing.
        others: Names of the columns that are neither.
    """

    path: Path
    sha256: str
    rows: NDArray[np.int64]
    videos: tuple[Path, ...]
    studies: tuple[str, ...]
    patients: tuple[str, ...]
    splits: tuple[str, ...]
    tasks: tuple[Task, ...]
    labels: Mapping[str, NDArray[np.float64]]
    others: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of videos."""
        return len(self.videos)

    @property
    def folds(self) -> int:
        """Number of folds; 0 where rows are in train, val and test."""
        numbers = [int(split) for split in set(self.splits) if split.isdecimal()]
        return max(numbers) + 1 if numbers else 0

    def take(self, rows: Iterable[int]) -> Self:
        """Return some of the videos, by their index."""
        chosen = list(rows)
        return replace(
            self,
            rows=self.rows[chosen],
            videos=tuple(self.videos[row] for row in chosen),
            studies=tuple(self.studies[row] for row in chosen),
            patients=tuple(self.patients[row] for row in chosen),
            splits=tuple(self.splits[row] for row in chosen),
            labels={task: values[chosen] for task, values in self.labels.items()},
        )

    def split(self, name: str, fold: int | None = None) -> Self:
        """Return the rows of ``train``, ``val`` or ``test``.

        With folds, test is fold ``fold``, val the next one (the first after the last), and train all others: the rule
        of the published runs on EchoNet-Pediatric.
        """
        if not self.folds:
            return self.take(row for row, split in enumerate(self.splits) if split == name)
        assigned = {str(fold): "test", str(((fold or 0) + 1) % self.folds): "val"}
        return self.take(row for row, split in enumerate(self.splits) if assigned.get(split, "train") == name)


class Rows:
    """A table's cells as text, and what was found wrong with them."""

    def __init__(self, path: Path) -> None:
        self.faults: list[str] = []
        if path.suffix.lower() == ".parquet":
            self.decimal_comma = False
            self.header, self.lines = _parquet(path)
            return
        try:
            with read_rows(path) as (header, delimiter, lines):
                self.header, self.decimal_comma = header, delimiter == ";"
                self.lines = list(lines)
        except EvaluationError as error:
            raise TableError(str(error)) from None

    def column(self, place: int | None) -> list[str]:
        """Return the cells of a column; empty ones without it."""
        return ["" if place is None else line[place].strip() for _, line in self.lines]


def _parquet(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415 - only for tables of this kind
    except ImportError:
        raise TableError(f"{path}: Parquet needs pyarrow; in a checkout: pip install ./client '.[training]'.") from None
    try:
        table = parquet.read_table(path)
    except (OSError, ArrowException) as error:
        raise TableError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    columns = [["" if value is None else str(value) for value in column.to_pylist()] for column in table.columns]
    return list(table.column_names), [(row, list(cells)) for row, cells in enumerate(zip(*columns, strict=True), 2)]


def read_table(path: Path, tasks: Sequence[Task]) -> tuple[Table, list[str]]:
    """Read a table of labelled videos.

    Args:
        path: CSV (``,``, ``;`` or tabs) or Parquet with the columns ``video`` (path, relative to the table), ``split``
            (train, val, test, or the number of a fold), optionally ``study`` and ``patient``, and one per task. An
            empty cell is missing; classes are given by name.
        tasks: Tasks that may have a column.

    Returns:
        The table, and every fault of its cells: unknown classes, words for numbers, unknown splits, no video.

    Raises:
        TableError: It cannot be read, or lacks a column without which there is nothing to check.
    """
    rows = Rows(path)
    if not rows.lines:
        raise TableError(f"{path} has no row below its header; it needs one per video.")
    places = _places(path, rows.header)
    labelled = _labelled(path, rows.header, tasks, set(places.values()))
    numbers = np.array([number for number, _ in rows.lines])
    videos = rows.column(places["video"])
    rows.faults += [f"row {number}: no video" for number, name in zip(numbers, videos, strict=True) if not name]
    studies = [study or name for study, name in zip(rows.column(places.get("study")), videos, strict=True)]
    patients = [patient or study for patient, study in zip(rows.column(places.get("patient")), studies, strict=True)]
    table = Table(
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        rows=numbers,
        videos=tuple(path.parent / name for name in videos),
        studies=tuple(studies),
        patients=tuple(patients),
        splits=tuple(_splits(rows, places["split"])),
        tasks=tuple(labelled.values()),
        labels={task.key: _labels(rows, place, task) for place, task in labelled.items()},
        others=tuple(
            name for place, name in enumerate(rows.header) if place not in {*places.values(), *labelled} and name
        ),
    )
    return table, rows.faults


def _places(path: Path, header: Sequence[str]) -> dict[str, int]:
    named = [ALIASES.get(name.lower(), name.lower()) for name in header]
    places = {name: named.index(name) for name in IDENTIFYING if name in named}
    missing = [name for name in ("video", "split") if name not in places]
    if missing:
        raise TableError(
            f"{path} has no column {' and none '.join(missing)}; it needs video (path of the file), split (train, val, "
            "test or a fold's number) and one column per task."
        )
    return places


def _labelled(path: Path, header: Sequence[str], tasks: Sequence[Task], taken: set[int]) -> dict[int, Task]:
    """Return the task of each column of labels, in the order of ``tasks``."""
    named = {name.lower(): place for place, name in enumerate(header) if place not in taken}
    found = {named[task.key.lower()]: task for task in tasks if task.key.lower() in named}
    if not found:
        raise TableError(
            f"{path} has no column of a task; a column is named as its task, such as {tasks[0].key}, and new tasks are "
            "described in the recipe."
        )
    return found


def _splits(rows: Rows, place: int) -> Iterator[str]:
    for (number, _), text in zip(rows.lines, rows.column(place), strict=True):
        name = SPLIT_NAMES.get(text.lower(), text.lower()).removesuffix(".0")
        if name not in SPLITS and not name.isdecimal():
            rows.faults.append(f"row {number}: split {text!r} is none of train, val, test, nor the number of a fold")
        yield name


def _labels(rows: Rows, place: int, task: Task) -> NDArray[np.float64]:
    parser = LabelParser(task, decimal_comma=rows.decimal_comma)
    values = np.full(len(rows.lines), np.nan)
    for index, (number, line) in enumerate(rows.lines):
        try:
            values[index] = parser.parse(line[place])
        except ValueError as error:
            rows.faults.append(f"row {number}, {task.key}: {error}")
    return values
