"""What a model must reach to be accepted, such as ``EF:mae<=6``."""

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from panecho_evaluation.cohort import ALL
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.evaluation import Evaluation
from panecho_evaluation.metric_names import METRICS

__all__ = ["Minimum", "unmet"]

COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
FORM = re.compile(r"(?P<name>.+):(?P<metric>\w+)\s*(?P<sign><=|>=|<|>)\s*(?P<limit>[-+.\deE]+)")


@dataclass(frozen=True)
class Minimum:
    """A bound on a number of all studies.

    Attributes:
        name: Task, or ``TASK:CLASS`` for one class of a multi-class task.
        metric: Name of the metric.
        sign: ``<=``, ``>=``, ``<`` or ``>``.
        limit: In the metric's unit.
    """

    name: str
    metric: str
    sign: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the bound of a text such as ``EF:mae<=6`` or ``AVStenosis:Severe:auroc>=0.95``.

        Raises:
            EvaluationError: The text is not of this form, or there is no such metric.
        """
        found = FORM.fullmatch(text.strip())
        try:
            limit = float(found["limit"]) if found else math.nan
        except ValueError:
            limit = math.nan
        if found is None or not math.isfinite(limit):
            raise EvaluationError(f"{text!r} is not TASK:METRIC<=NUMBER or TASK:METRIC>=NUMBER, such as 'EF:mae<=6'.")
        metric = found["metric"].lower()
        if metric not in METRICS:
            close = difflib.get_close_matches(metric, METRICS, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(METRICS)}."
            raise EvaluationError(f"there is no metric {found['metric']!r}; {hint}")
        return cls(found["name"].strip(), metric, found["sign"], limit)

    def __str__(self) -> str:
        """Return what ``parse`` takes."""
        return f"{self.name}:{self.metric}{self.sign}{self.limit:g}"


def unmet(evaluation: Evaluation, minimums: Sequence[Minimum]) -> Iterator[str]:
    """Return what each bound that a run does not keep says, and the number that breaks it.

    A number that is not defined breaks every bound.

    Raises:
        EvaluationError: A bound is on a task or metric that was not evaluated.
    """
    several = {task.key for task in evaluation.tasks if task.kind == "multiclass"}
    values: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for of in evaluation.estimates:
        if of.cohort == ALL and not of.reference:
            name = f"{of.task}:{of.class_name}" if of.task in several and of.class_name else of.task
            values.setdefault((name, of.metric), []).append((of.run, of.value))
    for minimum in minimums:
        if (minimum.name, minimum.metric) not in values:
            names = sorted({name for name, metric in values if metric == minimum.metric})
            known = f"{minimum.metric} is known of: {', '.join(names)}" if names else f"no task has {minimum.metric}"
            raise EvaluationError(f"{minimum} is about what was not evaluated; {known}.")
        for run, value in values[minimum.name, minimum.metric]:
            if not COMPARE[minimum.sign](value, minimum.limit):
                yield f"{run}: {minimum.name}:{minimum.metric} is {value:.4g}, not {minimum.sign} {minimum.limit:g}"
