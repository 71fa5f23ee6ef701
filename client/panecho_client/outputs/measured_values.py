"""Measurements as they are reported: rounded, with expected error, spread over the videos, ranges and a verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from panecho_client._description import Task
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._result_views.prediction_rows import spread
from panecho_client._results import Prediction, VideoResult
from panecho_client.outputs.reference_ranges import (
    INDEXED,
    RangeTable,
    ReferenceRange,
    reference_ranges,
    why_no_range,
)
from panecho_client.outputs.task_facts import (
    error_of,
    error_text,
    is_possible,
    measurement_facts,
    rounded,
    value_text,
)

__all__ = ["IMPOSSIBLE", "Measured", "indexed_values", "measured_value"]

IMPOSSIBLE = "impossible"
OUTSIDE = 3  # how severe a value outside its range is where the guideline has no steps
SEVERITIES = {"borderline": 1, "mildly": 2, "moderately": 4, "severely": 5}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A measurement as it is reported.

    Attributes:
        key: Name of the task, or of a value per body surface.
        name: In the words of a laboratory.
        group: Part of the heart.
        value: Rounded, with its sign; NaN where the model gave no number.
        text: Value and unit.
        unit: As shown.
        error: What error to expect.
        spread: Least and largest value among the videos, and their number; empty for a single one.
        ranges: Reference ranges; empty where there are none.
        why_no_range: Why there are none.
        verdict: ``within``, ``above``, ``below``, ``depends on sex``, ``impossible`` or a step such as
            ``mildly reduced``; empty without a range.
        severity: From 0 (normal, or no range) to 5 (severe).
        task: The task; None for a value per body surface.
    """

    key: str
    name: str
    group: str
    value: float
    text: str
    unit: str
    error: str
    spread: str
    ranges: tuple[ReferenceRange, ...]
    why_no_range: str | None
    verdict: str
    severity: int
    task: Task | None = field(repr=False)


def measured_value(
    prediction: Prediction,
    videos: Sequence[VideoResult],
    identity: StudyIdentity,
    ranges: RangeTable,
    no_ranges: str | None,
) -> Measured:
    """Return a measurement as it is reported.

    Args:
        prediction: Of the study.
        videos: The study's videos.
        identity: Its patient's sex.
        ranges: Reference ranges.
        no_ranges: Why none is applied to this patient; None where they are.
    """
    task = prediction.task
    facts, value = measurement_facts(task), rounded(task, prediction.value)
    normal = reference_ranges(task.key, sex=identity.patient_sex, ranges=ranges)
    possible = is_possible(task, prediction.value)
    verdict, how_severe = _verdict(value, normal) if possible else (IMPOSSIBLE, 0)
    return Measured(
        key=task.key,
        name=facts.name,
        group=task.group,
        value=value,
        text=value_text(task, value),
        unit=facts.unit,
        error=error_text(task),
        spread=_spread(task, videos),
        ranges=normal,
        why_no_range=None if normal else no_ranges or why_no_range(task.key),
        verdict=verdict,
        severity=how_severe,
        task=task,
    )


def indexed_values(prediction: Prediction, identity: StudyIdentity, ranges: RangeTable) -> list[Measured]:
    """Return the value per body surface of a volume, where the surface is known."""
    name = next((name for name, key in INDEXED.items() if key == prediction.task.key), None)
    if name is None or not identity.body_surface or not is_possible(prediction.task, prediction.value):
        return []
    value = round(prediction.value / identity.body_surface) + 0.0
    normal = reference_ranges(name, sex=identity.patient_sex, ranges=ranges)
    verdict, how_severe = _verdict(value, normal)
    return [
        Measured(
            key=name,
            name=f"{measurement_facts(prediction.task).name} / body surface",
            group=prediction.task.group,
            value=value,
            text=f"{value:.0f} mL/m²",
            unit="mL/m²",
            error=_indexed_error(prediction.task, identity.body_surface),
            spread="",
            ranges=normal,
            why_no_range=None,
            verdict=verdict,
            severity=how_severe,
            task=None,
        )
    ]


def _indexed_error(task: Task, body_surface: float) -> str:
    error = error_of(task)
    return "not published" if error is None else f"± {error / body_surface:.0f} mL/m²"


def _verdict(value: float, ranges: Sequence[ReferenceRange]) -> tuple[str, int]:
    """Return where a value lies in one or two words, and how severe that is."""
    if not ranges or not math.isfinite(value):
        return "", 0
    found = {_place(value, normal) for normal in ranges}
    if len(found) == 1:
        return found.pop()
    return ("depends on sex", min(how_severe for _, how_severe in found))


def _place(value: float, normal: ReferenceRange) -> tuple[str, int]:
    if normal.contains(value):
        return "within", 0
    grade = normal.grade(value)
    if grade:
        return grade.word, SEVERITIES.get(grade.word.split()[0], OUTSIDE)
    return ("below" if normal.low is not None and value < normal.low else "above"), OUTSIDE


def _spread(task: Task, videos: Sequence[VideoResult]) -> str:
    values = [rounded(task, video[task.key].value) for video in videos if video.ok and task.key in video.predictions]
    of_videos = spread(values)
    if of_videos["sd"] is None:
        return ""
    decimals = measurement_facts(task).decimals
    number = sum(map(math.isfinite, values))
    return (
        f"{of_videos['lowest']:.{decimals}f} to {of_videos['highest']:.{decimals}f}, "
        f"SD {of_videos['sd']:.{max(decimals, 1)}f} ({number} videos)"
    )
