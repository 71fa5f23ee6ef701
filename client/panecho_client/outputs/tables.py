"""Studies as tables: long (a row per study or video, task and class) and wide (a row per study); CSV and Parquet.

Each row names the model and weights of its numbers, and the warnings to show with them.
"""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from panecho_client._description import VERSION, Task
from panecho_client._exceptions import RequestError
from panecho_client._identity.optional_packages import needs_reports_extra
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import Prediction, StudyResult

__all__ = [
    "LONG_COLUMNS",
    "Columns",
    "Row",
    "append_csv",
    "long_rows",
    "read_csv",
    "wide_columns",
    "wide_row",
    "write_parquet",
]

Row: TypeAlias = Mapping[str, str | float | bool | None]
Columns: TypeAlias = Mapping[str, type[str] | type[float] | type[int] | type[bool]]

MODEL = "PanEcho"
NO_UNIT = "1"  # UCUM's unit of ratios and probabilities
ROW_GROUP = 65_536

ORIGIN_COLUMNS: Columns = {
    "model": str,
    "version": str,
    "weights": str,
    "weights_sha256": str,
    "stand_in": bool,
    "precision": str,
    "warnings": str,
}
LONG_COLUMNS: Columns = {
    "study": str,
    "patient": str,
    "video": str,
    "sop_instance_uid": str,
    "status": str,
    "task": str,
    "class": str,
    "value": float,
    "unit": str,
    **ORIGIN_COLUMNS,
}
NOTHING_PREDICTED: dict[str, Any] = {"task": None, "class": None, "value": None, "unit": None}
COUNT_COLUMNS: Columns = {"videos": int, "videos_used": int, "videos_skipped": int, "skipped_statuses": str}


def long_rows(study: StudyResult, identity: StudyIdentity) -> Iterator[Row]:
    """Return a row per task and class of the study, then of each video; a skipped file has one row, with its status.

    A binary task has one row, the probability of its positive class; a value that is no number is NaN.

    Args:
        study: The study.
        identity: What it and its files are called.
    """
    origin = _origin(study)
    about = {"study": identity.study, "patient": identity.patient}
    for values in _predicted(study.predictions.values()):
        yield about | {"video": None, "sop_instance_uid": None, "status": "ok"} | values | origin
    for video, file in zip(study.videos, identity.files, strict=True):
        named = about | {"video": file.name, "sop_instance_uid": file.sop_instance_uid, "status": video.status}
        for values in _predicted(video.predictions.values()) if video.ok else [NOTHING_PREDICTED]:
            yield named | values | origin


def wide_columns(tasks: Iterable[Task]) -> Columns:
    """Return the columns of ``wide_row``: names, counts, a column per task or class in the tasks' order, origin."""
    values = {column: float for task in tasks for column in _task_columns(task)}
    return {"study": str, "patient": str, **COUNT_COLUMNS, **values, **ORIGIN_COLUMNS}


def wide_row(study: StudyResult, identity: StudyIdentity) -> Row:
    """Return the study's row: per task its value, per class of a multi-class task ``<task>:<class>``; counts of files.

    Args:
        study: The study.
        identity: What it is called.
    """
    codes = Counter(video.status.partition(":")[0] for video in study.skipped)
    counts = {
        "videos": len(study.videos),
        "videos_used": len(study.videos) - len(study.skipped),
        "videos_skipped": len(study.skipped),
        "skipped_statuses": " ".join(f"{code}={count}" for code, count in sorted(codes.items())),
    }
    values: dict[str, float] = {}
    for prediction in study.predictions.values():
        values |= dict(zip(_task_columns(prediction.task), _numbers(prediction).values(), strict=True))
    return {"study": identity.study, "patient": identity.patient, **counts, **values, **_origin(study)}


def append_csv(path: Path, rows: Iterable[Row], columns: Columns) -> None:
    """Append rows to a CSV file as RFC 4180 has it, UTF-8; a new or empty file gets the columns' names first.

    What is missing or no number is an empty field; truth values are ``true`` and ``false``.

    Raises:
        RequestError: The file holds other columns.
        OSError: It cannot be written.
    """
    with path.open("a+", encoding="utf-8", newline="") as opened:
        opened.seek(0)
        present = next(csv.reader(opened), None)
        if present not in (None, list(columns)):
            raise RequestError(f"{path} holds other columns than these rows; write to another file.")
        writer = csv.writer(opened)
        if present is None:
            writer.writerow(columns)
        writer.writerows([_field(row[name]) for name in columns] for row in rows)


def read_csv(path: Path, columns: Columns) -> list[Row]:
    """Read what ``append_csv`` wrote; empty fields are None.

    Raises:
        RequestError: The file holds other columns.
        OSError, ValueError: It cannot be read, or is no such table.
    """
    with path.open(encoding="utf-8", newline="") as opened:
        reader = csv.DictReader(opened)
        if reader.fieldnames != list(columns):
            raise RequestError(f"{path} holds other columns than expected.")
        return [{name: _parsed(row[name], kind) for name, kind in columns.items()} for row in reader]


def write_parquet(path: Path, rows: Iterable[Row], columns: Columns) -> None:
    """Write rows as a Parquet file with typed columns, some thousand rows at a time; NaN becomes null.

    Raises:
        RequestError: The extra ``reports`` is not installed.
        OSError: The file cannot be written.
    """
    with needs_reports_extra():
        import pyarrow as pa  # noqa: PLC0415 - part of an extra
        from pyarrow import parquet  # noqa: PLC0415 - part of an extra
    types = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    remaining = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while group := [{name: _present(row[name]) for name in columns} for row in islice(remaining, ROW_GROUP)]:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _predicted(predictions: Iterable[Prediction]) -> Iterator[dict[str, Any]]:
    for prediction in predictions:
        task = prediction.task
        unit = (task.unit or NO_UNIT) if task.kind == "regression" else NO_UNIT
        for name, value in _numbers(prediction).items():
            yield {"task": task.key, "class": name, "value": value, "unit": unit}


def _numbers(prediction: Prediction) -> Mapping[str | None, float]:
    """Return the values of a prediction by class; of a regression there is one, of no class."""
    task = prediction.task
    if task.kind == "multiclass":
        return {name: prediction.probabilities[name] for name in task.classes}
    return {task.positive_class: prediction.value}


def _task_columns(task: Task) -> Sequence[str]:
    return [f"{task.key}:{name}" for name in task.classes] if task.kind == "multiclass" else [task.key]


def _origin(study: StudyResult) -> dict[str, Any]:
    weights = study.weights
    return {
        "model": MODEL,
        "version": VERSION,
        "weights": weights.name,
        "weights_sha256": weights.sha256,
        "stand_in": weights.stand_in,
        "precision": weights.manifest.precision if weights.manifest else None,
        "warnings": " ".join(study.warnings),
    }


def _present(value: str | float | bool | None) -> str | float | bool | None:  # noqa: FBT001 - a cell of any type
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _field(value: str | float | bool | None) -> str | float | None:  # noqa: FBT001 - a cell of any type
    return str(value).lower() if isinstance(value, bool) else _present(value)


def _parsed(text: str, kind: type) -> str | float | bool | None:
    if not text:
        return None
    return text == "true" if kind is bool else kind(text)
