"""What ``panecho predict`` wrote: predictions of studies and videos, and whose they are."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.cohort import Predicted
from panecho_evaluation.csv_files import OnProgress, read_rows
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.long_table import LongTable, first_tasks, read_long
from panecho_evaluation.videos import VideoPredictions
from panecho_evaluation.wide_table import WideTable, read_wide
from panecho_model.tasks import Task

__all__ = ["Results", "read_results", "read_videos"]

STUDIES = "studies.csv"
PREDICTIONS = "predictions.csv"
FAILURES = "failures.csv"
SETTINGS = "run.json"


@dataclass(frozen=True, kw_only=True)
class Results:
    """Predictions of N studies by one model.

    Attributes:
        path: Folder or file that they were read from.
        tasks: What was predicted.
        studies: Names of the studies, [N].
        patients: Names of their patients, [N]; empty where there is none.
        values: Predictions of each task, [N, C].
        videos_used: Number of videos that each study's prediction is the mean of, [N].
        origin: Model, version, weights, their SHA-256, precision and warnings.
        settings: What the run was made with, from ``run.json``; empty without.
        files: Number of files of the studies.
        skipped: Number of files that were not used, by status code.
        failures: Error code of each study that could not be predicted.
    """

    path: Path
    tasks: tuple[Task, ...]
    studies: tuple[str, ...]
    patients: tuple[str, ...]
    values: Predicted
    videos_used: NDArray[np.int64]
    origin: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: int
    skipped: Mapping[str, int]
    failures: Mapping[str, str] = field(default_factory=dict)


def read_results(path: Path, on_progress: OnProgress = lambda _: None) -> Results:
    """Read the studies of results.

    Args:
        path: The folder of ``panecho predict --output`` or ``panecho merge``, or the table of ``--csv`` or
            ``--wide-csv``.
        on_progress: Called with the share that is read.

    Raises:
        EvaluationError: There are no such results, or they cannot be read, hold a study twice, or are of two models.
    """
    table = path / STUDIES if path.is_dir() else path
    if not table.is_file():
        holds = f"holds no {STUDIES}" if path.is_dir() else "does not exist"
        raise EvaluationError(f"{path} {holds}; name what `panecho predict --output` or `panecho merge` wrote.")
    if _is_long(table):
        results = _of_long(path, read_long(table, on_progress))
    else:
        told = first_tasks(path / PREDICTIONS) if path.is_dir() else {}
        results = _of_wide(path, read_wide(table, told, on_progress))
    if not results.studies:
        raise EvaluationError(f"{table} holds no study.")
    twice = [name for name, times in Counter(results.studies).items() if times > 1]
    if twice:
        raise EvaluationError(f"{table} holds the study {twice[0]} more than once; keep one of them.")
    return results


def read_videos(results: Results, on_progress: OnProgress = lambda _: None) -> VideoPredictions:
    """Read the videos of results.

    Raises:
        EvaluationError: The results hold no predictions of videos, or they cannot be read.
    """
    path = results.path / PREDICTIONS if results.path.is_dir() else results.path
    if not (path.is_file() and _is_long(path)):
        raise EvaluationError(f"{path} holds no predictions of videos; name the folder of `panecho predict --output`.")
    table = read_long(path, on_progress)
    index = {name: number for number, name in enumerate(results.studies)}
    study = np.array([index.get(name, -1) for name in table.studies], np.intp)[table.video_study]
    values = {key: numbers[study >= 0] for key, numbers in table.video_values.items()}
    return VideoPredictions(study=study[study >= 0], values=values)


def _is_long(table: Path) -> bool:
    with read_rows(table) as (header, _, _):
        return "task" in header


def _of_wide(path: Path, table: WideTable) -> Results:
    return Results(
        path=path,
        tasks=table.tasks,
        studies=table.studies,
        patients=table.patients,
        values=table.values,
        videos_used=table.videos_used,
        origin=table.origin,
        settings=_settings(path),
        files=table.files,
        skipped=table.skipped,
        failures=_failures(path),
    )


def _of_long(path: Path, table: LongTable) -> Results:
    return Results(
        path=path,
        tasks=table.tasks,
        studies=table.studies,
        patients=table.patients,
        values=table.values,
        videos_used=np.bincount(table.video_study, minlength=len(table.studies)),
        origin=table.origin,
        files=len(table.video_study) + sum(table.skipped.values()),
        skipped=table.skipped,
    )


def _settings(path: Path) -> Mapping[str, Any]:
    file = path / SETTINGS
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_bytes()))
    except (OSError, TypeError, ValueError):
        raise EvaluationError(f"{file} cannot be read as JSON; predict again into another folder.") from None


def _failures(path: Path) -> Mapping[str, str]:
    file = path / FAILURES
    if not file.is_file():
        return {}
    with read_rows(file) as (header, _, rows):
        if not {"study", "code"} <= set(header):
            raise EvaluationError(f"{file} has no columns study and code: `panecho predict` did not write it.")
        return {row[header.index("study")]: row[header.index("code")] for _, row in rows}
