"""How a notebook shows a study: measurements, classifications and whose weights these are. Paths are not shown."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from panecho_client._results import Prediction, StudyResult

__all__ = ["study_html"]


def study_html(study: "StudyResult") -> str:
    """Return a study as a piece of HTML."""
    measured = [prediction for prediction in study.predictions.values() if prediction.task.kind == "regression"]
    classified = [prediction for prediction in study.predictions.values() if prediction.task.kind != "regression"]
    used = len(study.videos) - len(study.skipped)
    parts = [
        f"<strong>{escape(' '.join(study.warnings))}</strong>",
        _table(("Measurement", "Value", "Unit"), map(_measurement, measured)),
        _table(("Classification", "Most probable class", "Probability"), map(_classification, classified)),
        f"<p>{used} of {len(study.videos)} files used. Weights: {escape(study.weights.name)}.</p>",
    ]
    return f"<div>{''.join(parts)}</div>"


def _measurement(prediction: "Prediction") -> Sequence[str]:
    return (prediction.task.key, f"{prediction.value:.3g}", prediction.task.unit or "")


def _classification(prediction: "Prediction") -> Sequence[str]:
    label = prediction.label or ""
    probability = prediction.probabilities.get(label, math.nan)
    return (prediction.task.key, label, f"{probability:.2f}")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    if not lines:
        return ""
    names = "".join(f"<th>{name}</th>" for name in head)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
