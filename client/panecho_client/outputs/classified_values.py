"""Classifications as they are reported: the most probable class in words, and whether it is clear."""

import math
from dataclasses import dataclass, field

from panecho_client._description import Task
from panecho_client._result_views.variables import clinical_order
from panecho_client._results import Prediction
from panecho_client.outputs.class_sentences import sentence, severity
from panecho_client.outputs.prediction_text import NOT_A_NUMBER
from panecho_client.outputs.task_facts import MARGIN, error_text

__all__ = ["Classified", "classified_value"]


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


def classified_value(prediction: Prediction) -> Classified:
    """Return a classification as it is reported."""
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
