"""Finds every fault of a table of labelled videos at once, before the first step of a training."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from panecho_preprocessing import ClipOptions, VideoError, available_cores, video_clips
from panecho_training.plausible_ranges import PLAUSIBLE
from panecho_training.table import SPLITS, Table

__all__ = ["check_files", "check_rows", "check_splits"]

ROWS_SHOWN = 5
AHEAD = 64
"""Videos that are opened ahead of the one reported."""


def check_rows(table: Table) -> list[str]:
    """Return the faults of rows and labels; of no row's file more than whether it is there.

    Rows are named by their number: identifiers of patients and studies stay out of texts.
    """
    return [
        *_missing_files(table),
        *_repeated_videos(table),
        *_patients_in_two_splits(table),
        *_disagreeing_studies(table),
        *_implausible_labels(table),
    ]


def check_files(table: Table, options: ClipOptions, on_progress: Callable[[], None] = lambda: None) -> Iterator[str]:
    """Decode a clip of every file; yield the row and fault of those that cannot be used."""
    with ThreadPoolExecutor(available_cores()) as pool:
        for start in range(0, len(table), AHEAD):
            rows = range(start, min(start + AHEAD, len(table)))
            for row, fault in zip(rows, pool.map(lambda row: _fault_of(table, row, options), rows), strict=True):
                on_progress()
                if fault:
                    yield f"row {table.rows[row]}: {fault}"


def _fault_of(table: Table, row: int, options: ClipOptions) -> str:
    path = table.videos[row]
    if not path.is_file():
        return ""  # check_rows names it
    try:
        video_clips(np.fromfile(path, np.uint8), options)
    except VideoError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return ""


def _missing_files(table: Table) -> Iterator[str]:
    for row, path in zip(table.rows, table.videos, strict=True):
        if not path.is_file():
            yield f"row {row}: no such file: {path}"


def _repeated_videos(table: Table) -> Iterator[str]:
    first: dict[object, int] = {}
    for row, path in zip(table.rows.tolist(), table.videos, strict=True):
        if first.setdefault(path, row) != row:
            yield f"row {row}: the video of row {first[path]} again"


def _patients_in_two_splits(table: Table) -> Iterator[str]:
    places: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row, patient, split in zip(table.rows.tolist(), table.patients, table.splits, strict=True):
        places[patient].setdefault(split, row)
    for splits in places.values():
        if len(splits) > 1:
            shown = " and ".join(f"{split} (row {row})" for split, row in splits.items())
            yield f"one patient is in {shown}; a patient belongs to one split"


def _disagreeing_studies(table: Table) -> Iterator[str]:
    for task, values in table.labels.items():
        first: dict[str, tuple[float, int]] = {}
        for row, study, value in zip(table.rows.tolist(), table.studies, values.tolist(), strict=True):
            if np.isnan(value):
                continue
            before, earlier = first.setdefault(study, (value, row))
            if before != value:
                yield f"row {row}, {task}: differs from row {earlier} of the same study; a study has one label"


def _implausible_labels(table: Table) -> Iterator[str]:
    units = {task.key: task.unit or "" for task in table.tasks}
    for task, values in table.labels.items():
        low, high = PLAUSIBLE.get(task, (-np.inf, np.inf))
        wrong = np.flatnonzero((values < low) | (values > high))
        for row in wrong[:ROWS_SHOWN]:
            unit = f" {units[task]}".rstrip()
            yield f"row {table.rows[row]}, {task}: {values[row]:g}{unit} is outside {low:g} to {high:g}{unit}"
        if len(wrong) > ROWS_SHOWN:
            yield f"{task}: {len(wrong) - ROWS_SHOWN} more labels are outside {low:g} to {high:g}; is the unit right?"


def check_splits(table: Table, fold: int | None = None) -> tuple[list[str], list[str]]:
    """Return the faults of splits that a training cannot do with, and those that leave metrics undefined."""
    if len({split.isdecimal() for split in table.splits}) > 1:
        return ["some rows are in folds, others in train, val or test; use one or the other"], []
    faults: dict[bool, list[str]] = {True: [], False: []}
    for name in SPLITS:
        part = table.split(name, fold or 0)
        if not len(part):
            faults[name == "train"].append(f"no row is in split {name}")
            continue
        for task in table.tasks:
            counts = Counter(part.labels[task.key][np.isfinite(part.labels[task.key])].tolist())
            what = "value" if task.kind == "regression" else "class"
            if not counts:
                faults[name == "train"].append(f"{task.key} has no label in split {name}")
            elif len(counts) == 1:
                faults[name == "train"].append(f"{task.key} has labels of one {what} only in split {name}")
    return faults[True], faults[False]
