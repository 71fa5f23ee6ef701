"""The predictions of a study as rows: a row per task and class, with the spread over the videos."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from panecho_client._result_views.variables import class_label, reported_classes, variables

if TYPE_CHECKING:
    from panecho_client._results import Prediction, StudyResult, VideoResult

__all__ = ["NOTHING_PREDICTED", "class_values", "spread", "study_rows", "video_rows"]

NO_UNIT = "1"  # UCUM's unit of ratios and probabilities

NOTHING_PREDICTED: Mapping[str, Any] = dict.fromkeys(
    ("task", "class", "variable", "value", "unit", "predicted", "videos", "sd", "lowest", "highest")
)
"""The row of a video that was skipped."""


def study_rows(study: "StudyResult") -> Iterator[dict[str, Any]]:
    """Return a row per task and class of the study; a binary task has one, of its positive class.

    ``videos`` counts the videos whose mean the value is; ``sd`` (of a sample), ``lowest`` and ``highest`` are theirs.
    """
    names = _names(study)
    for key, prediction in study.predictions.items():
        used = [video[key] for video in study.videos if video.ok and key in video]
        for name, value in class_values(prediction).items():
            of_videos = [class_values(of)[name] for of in used]
            yield _row(prediction, name, value, names) | {"videos": len(of_videos)} | spread(of_videos)


def video_rows(study: "StudyResult", video: "VideoResult") -> Iterator[dict[str, Any]]:
    """Return a row per task and class of one of the study's videos; one without predictions if it was skipped."""
    names = _names(study)
    if not video.ok:
        yield dict(NOTHING_PREDICTED)
        return
    for prediction in video.predictions.values():
        for name, value in class_values(prediction).items():
            yield {**NOTHING_PREDICTED, **_row(prediction, name, value, names), "videos": 1}


def class_values(prediction: "Prediction") -> Mapping[str | None, float]:
    """Return the numbers of a prediction by class, normal first; of a measurement there is one, of no class."""
    task = prediction.task
    if task.kind == "multiclass":
        return {name: prediction.probabilities[str(name)] for name in reported_classes(task)}
    return {task.positive_class: prediction.value}


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Return standard deviation (of a sample), least and largest value of those that are numbers; None below two."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return {"sd": None, "lowest": None, "highest": None}
    return {"sd": statistics.stdev(finite), "lowest": min(finite), "highest": max(finite)}


def _names(study: "StudyResult") -> Mapping[tuple[str, str | None], str]:
    tasks = [prediction.task for prediction in study.predictions.values()]
    return {(of.task, of.class_name): of.name for of in variables(tasks) if of.role == "value"}


def _row(
    prediction: "Prediction", name: str | None, value: float, names: Mapping[tuple[str, str | None], str]
) -> dict[str, Any]:
    task = prediction.task
    return {
        "task": task.key,
        "class": None if name is None else class_label(task.key, name),
        "variable": names[task.key, name],
        "value": value,
        "unit": (task.unit or NO_UNIT) if task.kind == "regression" else NO_UNIT,
        "predicted": None if name is None or not math.isfinite(value) else name == prediction.label,
    }
