"""Studies as tables: long (a row per study or video, task and class) and wide (a row per study).

Each row names the model and weights of its numbers, and the warnings to show with them.
"""

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from panecho_client._contract import status_code
from panecho_client._description import VERSION, Task
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._result_views.prediction_rows import class_values, spread, study_rows, video_rows
from panecho_client._result_views.variables import (
    COUNT_COLUMNS,
    NAME_COLUMNS,
    ORIGIN_COLUMNS,
    class_label,
    variables,
)
from panecho_client._results import StudyResult
from panecho_client.outputs.table_files import Columns, Row

__all__ = ["COUNT_COLUMNS", "LONG_COLUMNS", "ORIGIN_COLUMNS", "long_rows", "wide_columns", "wide_row"]

MODEL = "PanEcho"

LONG_COLUMNS: Columns = {
    "study": str,
    "patient": str,
    "video": str,
    "sop_instance_uid": str,
    "status": str,
    "task": str,
    "class": str,
    "variable": str,
    "value": float,
    "unit": str,
    "predicted": bool,
    "videos": int,
    "sd": float,
    "lowest": float,
    "highest": float,
    **ORIGIN_COLUMNS,
}


def long_rows(study: StudyResult, identity: StudyIdentity) -> Iterator[Row]:
    """Return a row per task and class of the study, then of each video; a skipped file has one row, with its status.

    A binary task has one row, the probability of its positive class; a value that is no number is NaN.

    Args:
        study: The study.
        identity: Names of it and its files.
    """
    origin = _origin(study)
    about = {"study": identity.study, "patient": identity.patient}
    for values in study_rows(study):
        yield about | {"video": None, "sop_instance_uid": None, "status": "ok"} | values | origin
    for video, file in zip(study.videos, identity.files, strict=True):
        named = about | {"video": file.name, "sop_instance_uid": file.sop_instance_uid, "status": video.status}
        for values in video_rows(study, video):
            yield named | values | origin


def wide_columns(tasks: Iterable[Task]) -> Columns:
    """Return the columns of ``wide_row``: names, counts, what ``variables`` returns, origin."""
    values = {variable.name: str if variable.role == "class" else float for variable in variables(tasks)}
    return {**NAME_COLUMNS, **COUNT_COLUMNS, **values, **ORIGIN_COLUMNS}


def wide_row(study: StudyResult, identity: StudyIdentity) -> Row:
    """Return the study's row: counts of files; measurements with their spread; classes with their probabilities.

    Args:
        study: The study.
        identity: Names of it and its files.
    """
    codes = Counter(status_code(video.status) for video in study.skipped)
    counts = {
        "videos": len(study.videos),
        "videos_used": len(study.videos) - len(study.skipped),
        "videos_skipped": len(study.skipped),
        "skipped_statuses": " ".join(f"{code}={count}" for code, count in sorted(codes.items())),
    }
    about = {"study": identity.study, "patient": identity.patient, "path": _path(identity)}
    return {**about, **counts, **_values(study), **_origin(study)}


def _values(study: StudyResult) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable in variables(prediction.task for prediction in study.predictions.values()):
        prediction = study[variable.task]
        if variable.role == "value":
            values[variable.name] = class_values(prediction)[variable.class_name]
        elif variable.role == "sd":
            used = [video[variable.task].value for video in study.videos if video.ok and variable.task in video]
            values[variable.name] = spread(used)["sd"]
        else:
            label = prediction.label if math.isfinite(prediction.value) else None
            values[variable.name] = None if label is None else class_label(variable.task, label)
    return values


def _path(identity: StudyIdentity) -> str | None:
    """Return the folder, or the one file, that all files of a study are in; None where outputs name no path."""
    if not identity.identified or not identity.files:
        return None
    try:
        return os.path.commonpath([file.name for file in identity.files])
    except ValueError:  # absolute paths and relative ones
        return None


def _origin(study: StudyResult) -> dict[str, Any]:
    weights = study.weights
    return {
        "model": MODEL,
        "version": VERSION,
        "weights": weights.name,
        "weights_sha256": weights.sha256,
        "stand_in": weights.stand_in,
        "model_precision": weights.manifest.precision if weights.manifest else None,
        "warnings": " ".join(study.warnings),
    }
