"""An evaluation on a terminal: the leading numbers, what was left out, and where the report is."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from panecho_client.cli import make_console
from panecho_evaluation.evaluation import Evaluation
from panecho_evaluation.report_tables import ReportTables

__all__ = ["print_evaluation"]


def print_evaluation(evaluation: Evaluation, files: Sequence[Path], messages: Console) -> None:
    """Print the leading metric of each task and the files written; what to know about them goes to ``messages``."""
    cohort = evaluation.cohort
    messages.print(f"{len(cohort)} studies of {evaluation.patient_count} patients have labels and predictions.")
    for text, count in Counter(f"{of.run}: {of.reason}" for of in evaluation.studies.unmatched).items():
        messages.print(f"Left out, {text}: {count}. See unmatched.csv.", markup=False)
    for results in evaluation.runs.values():
        if results.origin["stand_in"] == "true":
            messages.print(f"{results.path}: stand-in weights: these numbers mean nothing.", style="red", markup=False)
    for warning in evaluation.warnings:
        messages.print(warning, style="yellow", markup=False)
    out = make_console()
    out.print(render_leading(evaluation))
    for file in files:
        out.print(Text(str(file)), soft_wrap=True)


def render_leading(evaluation: Evaluation) -> Table:
    """Return the leading metric of each task with its interval, and differences from the first run."""
    shown = ReportTables(evaluation).comparison()
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for name in shown.columns:
        table.add_column(name, overflow="fold")
    for task, cells in zip(evaluation.tasks, shown.rows, strict=True):
        texts = [f"{cell.text} ({cell.small})" if cell.small else cell.text for cell in cells[1:]]
        table.add_row(Text(task.key), *map(Text, texts))
    return table
