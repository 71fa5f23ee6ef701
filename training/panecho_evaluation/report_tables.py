"""The tables of the report: which numbers stand where, and how they are written."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from panecho_evaluation.cohort import ALL
from panecho_evaluation.estimates import Estimate
from panecho_evaluation.evaluation import Evaluation
from panecho_evaluation.metric_names import METRICS
from panecho_model.tasks import Task

__all__ = ["Cell", "ReportTables", "Table", "format_value"]

LEADING = {"regression": "mae", "binary": "auroc", "multiclass": "auroc"}
"""The metric that stands for a task in comparisons and subgroups."""

MEASUREMENT = ("mae", "nmae", "r2", "bias")
FINDING = ("auroc", "average_precision", "sensitivity", "specificity", "ppv", "npv")
GRADE = ("auroc", "average_precision", "accuracy", "kappa_quadratic")

NOTHING = "-"


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What it says.
        small: What it says below that, such as an interval.
        strong: Whether it stands out.
    """

    text: str
    small: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        columns: Heads of the columns, the first of which names the rows.
        rows: As many cells each.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class ReportTables:
    """The tables of an evaluation."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._runs = tuple(evaluation.runs)
        self._estimates = {
            (of.run, of.reference, of.cohort, of.task, of.class_name, of.metric): of for of in evaluation.estimates
        }

    def measurements(self) -> Table:
        """Return a row per measurement and run."""
        heads = [*self._heads("Measurement"), *(METRICS[metric].label for metric in MEASUREMENT), "Limits of agreement"]
        rows = []
        for task, run in self._each("regression"):
            cells = [self._cell(run, task, "", metric) for metric in MEASUREMENT]
            rows.append([*self._row_head(task, run, "mae"), *cells, self._limits(run, task)])
        return Table(heads, rows)

    def findings(self) -> Table:
        """Return a row per binary task and run."""
        labels = [METRICS[metric].label for metric in FINDING]
        heads = [*self._heads("Finding"), "With finding", "Threshold", *labels]
        rows = []
        for task, run in self._each("binary"):
            name = task.positive_class or ""
            cells = [self._cell(run, task, name, metric) for metric in ("prevalence", "threshold", *FINDING)]
            rows.append([*self._row_head(task, run, "auroc"), *cells])
        return Table(heads, rows)

    def grades(self) -> Table:
        """Return a row per multi-class task and run."""
        rows = [
            [*self._row_head(task, run, "auroc"), *(self._cell(run, task, "", metric) for metric in GRADE)]
            for task, run in self._each("multiclass")
        ]
        return Table([*self._heads("Grade"), *(METRICS[metric].label for metric in GRADE)], rows)

    def comparison(self) -> Table:
        """Return a row per task: each run's leading metric, and the others' differences from the first run."""
        first, *others = self._runs
        heads = ["Task", "Metric", "Studies", *self._runs, *(f"{run} - {first}" for run in others)]
        rows = []
        for task in self._evaluation.tasks:
            metric = LEADING[task.kind]
            values = [self._cell(run, task, _class(task), metric) for run in self._runs]
            differences = [self._difference(run, task, metric) for run in others]
            head = self._task_cell(task), Cell(METRICS[metric].label), self._studies(first, task, metric)
            rows.append([*head, *values, *differences])
        return Table(heads, rows)

    def published(self) -> Table:
        """Return a row per published number, with each run's next to it."""
        tasks = {task.key: task for task in self._evaluation.tasks}
        rows = []
        for of in self._evaluation.settings.published:
            if of.task in tasks:
                task = tasks[of.task]
                head = Cell(of.model, of.source), Cell(of.task), Cell(METRICS[of.metric].label)
                runs = [self._cell(run, task, _class(task), of.metric) for run in self._runs]
                rows.append([*head, Cell(format_value(of.value, of.metric, task)), *runs])
        return Table(["Published by", "Task", "Metric", "Published", *self._runs], rows)

    def subgroups(self, column: str, run: str) -> Table:
        """Return a row per task with the leading metric of each group of a column."""
        return self._by_cohort(run, self._evaluation.subgroups[column])

    def videos(self, run: str) -> Table:
        """Return a row per task with the leading metric of single videos, of studies of fewer videos, and of all."""
        return self._by_cohort(run, [*self._evaluation.videos[run], ALL])

    def task(self, task: Task) -> Table:
        """Return every number of a task over all studies, a row per metric and class."""
        heads = ["Metric", *(["Class"] if task.kind != "regression" else []), *self._runs]
        keys = dict.fromkeys(
            (of.class_name, of.metric)
            for of in self._evaluation.estimates
            if (of.task, of.cohort, of.reference) == (task.key, ALL, "")
        )
        rows = []
        for class_name, metric in keys:
            classes = [Cell(class_name.replace("|", " / ") or "all")] if task.kind != "regression" else []
            cells = [self._cell(run, task, class_name, metric) for run in self._runs]
            rows.append([Cell(METRICS[metric].label), *classes, *cells])
        return Table(heads, rows)

    def _by_cohort(self, run: str, cohorts: Sequence[str]) -> Table:
        rows = []
        for task in self._evaluation.tasks:
            metric = LEADING[task.kind]
            cells = [self._counted(run, task, metric, cohort) for cohort in cohorts]
            rows.append([self._task_cell(task), Cell(METRICS[metric].label), *cells])
        return Table(["Task", "Metric", *cohorts], rows)

    def _each(self, kind: str) -> Iterator[tuple[Task, str]]:
        for task in self._evaluation.tasks:
            if task.kind == kind:
                yield from ((task, run) for run in self._runs)

    def _heads(self, name: str) -> list[str]:
        return [name, *(["Run"] if len(self._runs) > 1 else []), "Studies"]

    def _row_head(self, task: Task, run: str, metric: str) -> list[Cell]:
        return [
            self._task_cell(task),
            *([Cell(run)] if len(self._runs) > 1 else []),
            self._studies(run, task, metric),
        ]

    def _task_cell(self, task: Task) -> Cell:
        return Cell(task.description or task.key, task.key if task.description else "")

    def _studies(self, run: str, task: Task, metric: str) -> Cell:
        estimate = self._estimates[run, "", ALL, task.key, _class(task), metric]
        return Cell(str(estimate.studies), f"{estimate.patients} patients")

    def _cell(self, run: str, task: Task, class_name: str, metric: str, cohort: str = ALL) -> Cell:
        estimate = self._estimates.get((run, "", cohort, task.key, class_name, metric))
        if estimate is None:
            return Cell(NOTHING)
        return Cell(format_value(estimate.value, metric, task), _interval(estimate))

    def _counted(self, run: str, task: Task, metric: str, cohort: str) -> Cell:
        estimate = self._estimates.get((run, "", cohort, task.key, _class(task), metric))
        if estimate is None:
            return Cell(NOTHING)
        interval = _interval(estimate)
        return Cell(format_value(estimate.value, metric, task), f"{interval} n = {estimate.studies}".strip())

    def _difference(self, run: str, task: Task, metric: str) -> Cell:
        estimate = self._estimates[run, self._runs[0], ALL, task.key, _class(task), metric]
        text = format_value(estimate.value, metric, task)
        apart = estimate.low > 0 or estimate.high < 0
        return Cell(f"+{text}" if estimate.value > 0 else text, _interval(estimate), apart)

    def _limits(self, run: str, task: Task) -> Cell:
        low, high = (self._estimates[run, "", ALL, task.key, "", metric].value for metric in ("loa_low", "loa_high"))
        return Cell(f"{format_value(low, 'sd', None)} to {format_value(high, 'sd', task)}")


def format_value(value: float, metric: str, task: Task | None) -> str:
    """Return a number as text: shares in per cent, measurements with the task's unit, three digits."""
    scale = METRICS[metric].scale
    if not math.isfinite(value):
        return "∞" if math.isinf(value) else NOTHING
    if scale == "share":
        return f"{round(100 * value, 1) or 0:.1f} %"
    if scale == "number":
        return f"{round(value, 3) or 0:.3f}"
    unit = ((task and task.unit) or "").replace("^3", "³")
    return f"{_digits(value)} {f'({unit})²' if scale == 'unit²' and unit else unit}".strip()


def _digits(value: float) -> str:
    """Return a number with three digits, without an exponent."""
    decimals = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{min(decimals, 4)}f}"


def _interval(estimate: Estimate) -> str:
    ends = (estimate.low, estimate.high)
    if not all(map(math.isfinite, ends)):
        return ""
    return " to ".join(format_value(end, estimate.metric, None).removesuffix(" %") for end in ends)


def _class(task: Task) -> str:
    """Return the class of a task's leading metric."""
    return (task.positive_class or "") if task.kind == "binary" else ""
