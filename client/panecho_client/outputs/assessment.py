"""What a study's predictions say: values against ranges, classes in words, contradictions, and what comes first.

Every report (terminal, HTML, PDF, FHIR) shows this, so that all say the same.
"""

from dataclasses import dataclass

from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import StudyResult
from panecho_client.outputs.classified_values import Classified, classified_value
from panecho_client.outputs.contradictions import find_contradictions
from panecho_client.outputs.measured_values import IMPOSSIBLE, Measured, indexed_values, measured_value
from panecho_client.outputs.prediction_text import format_percent
from panecho_client.outputs.reference_ranges import ADULT, GUIDELINES, RangeTable
from panecho_client.outputs.task_facts import group_order

__all__ = ["Assessment", "Statement", "assess"]


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
            measured.append(measured_value(prediction, study.videos, identity, used, no_ranges))
            measured += indexed_values(prediction, identity, used)
    classified = [classified_value(prediction) for prediction in ordered if prediction.task.kind != "regression"]
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
