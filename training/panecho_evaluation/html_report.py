"""An evaluation as one HTML page that needs no other file, no network and no script."""

import base64
from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from panecho_evaluation.evaluation import Evaluation
from panecho_evaluation.evaluation_files import to_dict
from panecho_evaluation.metric_names import METRICS
from panecho_evaluation.plots import task_plot
from panecho_evaluation.report_tables import ReportTables
from panecho_model.tasks import Task

__all__ = ["render_report"]

TEMPLATE = "report.html.jinja"
OTHER = "Other tasks"
UNMATCHED_SHOWN = 20


def render_report(evaluation: Evaluation, on_progress: Callable[[float], None] = lambda _: None) -> str:
    """Return the report of an evaluation.

    Args:
        evaluation: The evaluation.
        on_progress: Called with the share that is drawn.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    return template.render(
        evaluation=evaluation,
        facts=to_dict(evaluation),
        tables=ReportTables(evaluation),
        groups=_groups(evaluation),
        plots=_plots(evaluation, on_progress),
        metrics=METRICS,
        version=version("panecho-triton"),
        unmatched_shown=UNMATCHED_SHOWN,
        stand_in=any(results.origin["stand_in"] == "true" for results in evaluation.runs.values()),
    )


def _groups(evaluation: Evaluation) -> dict[str, list[Task]]:
    """Return the tasks by part of the heart."""
    groups: dict[str, list[Task]] = {}
    for task in evaluation.tasks:
        groups.setdefault(task.group or OTHER, []).append(task)
    return groups


def _plots(evaluation: Evaluation, on_progress: Callable[[float], None]) -> dict[str, str]:
    """Return each task's picture as the address of an image."""
    plots: dict[str, str] = {}
    for number, task in enumerate(evaluation.tasks, 1):
        picture = task_plot(evaluation.cohort.samples(task))
        plots[task.key] = f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}"
        on_progress(number / len(evaluation.tasks))
    return plots
