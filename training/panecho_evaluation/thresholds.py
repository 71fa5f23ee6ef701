"""From which probability on a class is called: given, or chosen by a criterion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, get_args

from panecho_evaluation.arrays import Floats
from panecho_evaluation.cohort import Cohort
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.task_metrics import DEFAULT_THRESHOLD
from panecho_evaluation.threshold_metrics import Criterion, choose_threshold
from panecho_model.tasks import Task

__all__ = ["ThresholdRule"]


@dataclass(frozen=True, kw_only=True)
class ThresholdRule:
    """How thresholds come about.

    Attributes:
        given: Thresholds by task, and by class where a task has several.
        criterion: How the others are chosen; without, they are 0.5.
        target: Of the criterion.
    """

    given: Mapping[str, float] = field(default_factory=dict)
    criterion: Criterion | None = None
    target: float | None = None

    @classmethod
    def parse(cls, given: Sequence[str] = (), choice: str | None = None) -> Self:
        """Return the rule of texts such as ``AVStenosis:Severe=0.3``, and ``youden`` or ``sensitivity=0.9``.

        Raises:
            EvaluationError: A text is not of this form.
        """
        thresholds: dict[str, float] = {}
        for text in given:
            name, _, number = text.rpartition("=")
            thresholds[name] = _number(number, f"{text!r} is not TASK=NUMBER or TASK:CLASS=NUMBER")
        if choice is None:
            return cls(given=thresholds)
        criterion, _, target = choice.partition("=")
        if criterion not in get_args(Criterion) or (criterion == "youden") != (not target):
            raise EvaluationError(f"{choice!r} is not youden, sensitivity=NUMBER or specificity=NUMBER.")
        share = _number(target, f"{choice!r} has no target") if target else None
        return cls(given=thresholds, criterion=criterion, target=share)  # type: ignore[arg-type] # compared above

    def thresholds(self, cohort: Cohort, tasks: Sequence[Task]) -> dict[tuple[str, str], dict[str, float]]:
        """Return the threshold of each class, by run and task.

        Raises:
            EvaluationError: A threshold is given for a task or class that is not evaluated.
        """
        classes = {_name(task, name) for task in tasks for name in _classes(task)}
        unknown = sorted(self.given.keys() - classes)
        if unknown:
            raise EvaluationError(
                f"no class {unknown[0]!r} is evaluated; thresholds can be given for: {', '.join(sorted(classes))}."
            )
        return {
            (run, task.key): {
                name: self._threshold(_name(task, name), labels, scores)
                for name, (labels, scores) in sample.findings.items()
            }
            for task in tasks
            for run, sample in cohort.samples(task).items()
        }

    def _threshold(self, name: str, labels: Floats, scores: Floats) -> float:
        if name in self.given:
            return self.given[name]
        if self.criterion is None:
            return DEFAULT_THRESHOLD
        return choose_threshold(labels, scores, self.criterion, self.target)


def _classes(task: Task) -> Sequence[str]:
    return task.classes if task.kind == "multiclass" else [task.positive_class] if task.positive_class else []


def _name(task: Task, class_name: str) -> str:
    return f"{task.key}:{class_name}" if task.kind == "multiclass" else task.key


def _number(text: str, otherwise: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise EvaluationError(f"{otherwise}; it is a number from 0 to 1.")
    return number
