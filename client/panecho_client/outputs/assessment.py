"""What a study's predictions say: values against ranges, classes in words, contradictions, and what comes first.

Every report (terminal, HTML, PDF, FHIR) shows this, so that all say the same.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from panecho_client._description import Task
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import Prediction, StudyResult, VideoResult
from panecho_client._variables import clinical_order
from panecho_client.outputs.contradictions import find_contradictions
from panecho_client.outputs.prediction_text import NOT_A_NUMBER, format_percent
from panecho_client.outputs.reference_ranges import (
    ADULT,
    GUIDELINES,
    INDEXED,
    RangeTable,
    ReferenceRange,
    reference_ranges,
    why_no_range,
)
from panecho_client.outputs.task_facts import (
    MARGIN,
    error_of,
    error_text,
    group_order,
    is_possible,
    measurement_facts,
    rounded,
    sentence,
    severity,
    value_text,
)

__all__ = ["Assessment", "Classified", "Measured", "Statement", "assess"]

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


@dataclass(frozen=True, kw_only=True)
class Classified:
    """A classification as it is reported.

    Attributes:
        key: Name of the task.
        name: What is classified.
        group: Part of the heart.
        sentence: The most probable class in words; for an undecided one, the two.
        label: The most probable class.
        probability: Its probability; NaN where the model gave no number.
        probabilities: Of each class, from normal to severe.
        decided: Whether it is more probable than the next by ``MARGIN``.
        severity: From 0 (normal) to 5 (severe).
        error: How good the model was.
        task: The task.
    """

    key: str
    name: str
    group: str
    sentence: str
    label: str | None
    probability: float
    probabilities: tuple[tuple[str, float], ...]
    decided: bool
    severity: int
    error: str
    task: Task = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One line of the summary.

    Attributes:
        text: A sentence.
        evidence: The number behind it.
        severity: From 0 to 5.
        group: Part of the heart.
        key: Name of the task.
    """

    text: str
    evidence: str
    severity: int
    group: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What a study's predictions say.

    Attributes:
        abnormal: Most severe first.
        undecided: Classifications without a clear class.
        normal: The rest, in a laboratory's order.
        contradictions: What is impossible, or contradicts itself.
        measured: Measurements in a laboratory's order.
        classified: Classifications in a laboratory's order.
        no_ranges: Why no reference range is applied to this patient; None where they are.
    """

    abnormal: tuple[Statement, ...]
    undecided: tuple[Statement, ...]
    normal: tuple[Statement, ...]
    contradictions: tuple[str, ...]
    measured: tuple[Measured, ...]
    classified: tuple[Classified, ...]
    no_ranges: str | None


def assess(study: StudyResult, identity: StudyIdentity, ranges: RangeTable = GUIDELINES) -> Assessment:
    """Return what a study's predictions say.

    Args:
        study: The study.
        identity: Its patient's sex, age and body surface.
        ranges: Reference ranges; see ``load_ranges``.
    """
    no_ranges = _why_no_ranges(identity)
    used = {} if no_ranges else ranges
    ordered = sorted(study.predictions.values(), key=lambda prediction: group_order(prediction.task.group))
    measured: list[Measured] = []
    for prediction in ordered:
        if prediction.task.kind == "regression":
            measured.append(_measured(prediction, study.videos, identity, used, no_ranges))
            measured += _indexed(prediction, identity, used)
    classified = [_classified(prediction) for prediction in ordered if prediction.task.kind != "regression"]
    statements = [
        *map(_of_class, classified),
        *(_of_value(value) for value in measured if value.verdict not in ("", IMPOSSIBLE)),
    ]
    statements.sort(key=lambda statement: group_order(statement.group))
    undecided = {value.key for value in classified if not value.decided}
    decided = [statement for statement in statements if statement.key not in undecided]
    return Assessment(
        abnormal=tuple(sorted((line for line in decided if line.severity), key=lambda line: -line.severity)),
        undecided=tuple(statement for statement in statements if statement.key in undecided),
        normal=tuple(line for line in decided if not line.severity),
        contradictions=tuple(find_contradictions(study)),
        measured=tuple(measured),
        classified=tuple(classified),
        no_ranges=no_ranges,
    )


def _why_no_ranges(identity: StudyIdentity) -> str | None:
    if identity.patient_age is None or identity.patient_age >= ADULT:
        return None
    return (
        f"The patient is under {ADULT}: the reference ranges are of adults, and PanEcho was trained on adults. "
        "No value is judged."
    )


def _measured(
    prediction: Prediction,
    videos: Sequence[VideoResult],
    identity: StudyIdentity,
    ranges: RangeTable,
    no_ranges: str | None,
) -> Measured:
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


def _indexed(prediction: Prediction, identity: StudyIdentity, ranges: RangeTable) -> list[Measured]:
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
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    decimals = measurement_facts(task).decimals
    return (
        f"{min(finite):.{decimals}f} to {max(finite):.{decimals}f}, SD {statistics.stdev(finite):.{max(decimals, 1)}f} "
        f"({len(finite)} videos)"
    )


def _classified(prediction: Prediction) -> Classified:
    task = prediction.task
    ordered = [(name, prediction.probabilities[name]) for name in clinical_order(task.classes)]
    ranked = sorted(ordered, key=lambda pair: -pair[1] if math.isfinite(pair[1]) else 0)
    (first, probability), (second, next_one) = ranked[0], ranked[1]
    finite = math.isfinite(probability)
    decided = finite and probability - next_one >= MARGIN
    words = sentence(task, first)
    if not finite:
        words = f"{task.description}: {NOT_A_NUMBER}"
    elif not decided:
        words = f"{words} — or: {sentence(task, second)}"
    return Classified(
        key=task.key,
        name=task.description,
        group=task.group,
        sentence=words,
        label=prediction.label,
        probability=probability,
        probabilities=tuple(ordered),
        decided=decided,
        severity=severity(task, first) if decided else 0,
        error=error_text(task),
        task=task,
    )


def _of_class(value: Classified) -> Statement:
    return Statement(
        text=value.sentence,
        evidence=f"P = {format_percent(value.probability)}",
        severity=value.severity,
        group=value.group,
        key=value.key,
    )


def _of_value(value: Measured) -> Statement:
    verdict = {"within": "normal", "above": "above the range", "below": "below the range"}.get(
        value.verdict, value.verdict
    )
    return Statement(
        text=f"{value.name} {verdict}",
        evidence=f"{value.text}, range {_ranges_text(value)}",
        severity=value.severity,
        group=value.group,
        key=value.key,
    )


def _ranges_text(value: Measured) -> str:
    sexes = {"F": "women ", "M": "men ", None: ""}
    return "; ".join(f"{sexes[normal.sex]}{normal.text}" for normal in value.ranges)
