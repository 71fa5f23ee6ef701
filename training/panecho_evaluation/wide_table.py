"""Tables with a row per study: ``studies.csv``."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.arrays import Floats
from panecho_evaluation.csv_files import OnProgress, read_rows
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.origin import ORIGIN, OriginReader
from panecho_evaluation.result_tasks import task_columns
from panecho_model.tasks import Task

__all__ = ["WideTable", "read_wide"]

OTHERS = ("study", "patient", "path", "videos", "videos_used", "videos_skipped", "skipped_statuses", *ORIGIN)


@dataclass(frozen=True, kw_only=True)
class WideTable:
    """N studies.

    Attributes:
        studies: Their names.
        patients: Names of their patients; empty where there is none.
        tasks: What was predicted.
        values: Numbers in them, [N, C]; NaN where one is missing.
        videos_used: Videos of each study's prediction, [N].
        files: Files of all studies.
        skipped: Files that were not used, by status code.
        origin: Whose predictions these are.
    """

    studies: tuple[str, ...]
    patients: tuple[str, ...]
    tasks: tuple[Task, ...]
    values: Mapping[str, Floats]
    videos_used: NDArray[np.int64]
    files: int
    skipped: Mapping[str, int]
    origin: Mapping[str, str]


def read_wide(path: Path, told: Mapping[str, Task], on_progress: OnProgress = lambda _: None) -> WideTable:
    """Read a table with a row per study.

    Args:
        path: The table.
        told: Tasks of the long table next to it; empty where there is none.
        on_progress: Called with the share that is read.

    Raises:
        EvaluationError: It is not such a table, holds what is not a number, or predictions of two models.
    """
    studies, patients, numbers, counts = [], [], [], []
    skipped: Counter[str] = Counter()
    with read_rows(path, on_progress) as (header, _, rows):
        origin = OriginReader(path, header)
        places = {name: place for place, name in enumerate(header)}
        columns = task_columns([name for name in header if name not in OTHERS], told)
        numeric = [places[name] for names in columns.values() for name in names]
        for _, row in rows:
            origin.read(row)
            studies.append(row[places["study"]])
            patients.append(row[places["patient"]])
            counts.append([row[places[name]] or "0" for name in ("videos", "videos_used")])
            numbers.append(read_numbers(path, row[places["study"]], (row[place] for place in numeric)))
            for status in row[places["skipped_statuses"]].split():
                code, _, times = status.rpartition("=")
                skipped[code] += int(times)
    table = np.array(numbers, np.float64).reshape(len(studies), len(numeric))
    ends = np.cumsum([len(names) for names in columns.values()], dtype=int)[:-1]
    videos = np.array(counts, np.int64).reshape(len(studies), 2)
    return WideTable(
        studies=tuple(studies),
        patients=tuple(patients),
        tasks=tuple(columns),
        values={task.key: part for task, part in zip(columns, np.split(table, ends, axis=1), strict=True)},
        videos_used=videos[:, 1],
        files=int(videos[:, 0].sum()),
        skipped=skipped,
        origin=origin.origin,
    )


def read_numbers(path: Path, study: str, fields: Iterable[str]) -> Floats:
    """Return the numbers of fields, NaN for an empty one.

    Raises:
        EvaluationError: A field is not a number.
    """
    try:
        return np.array([float(field) if field else np.nan for field in fields])
    except ValueError as error:
        raise EvaluationError(f"{path} is damaged at study {study}: {error}.") from None
