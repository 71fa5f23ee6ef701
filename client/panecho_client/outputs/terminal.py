"""A study's predictions as a report for a terminal."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from panecho_client._description import Weights
from panecho_client._files import shown_path
from panecho_client._results import NOT_CLINICAL, STAND_IN, Prediction, StudyResult
from panecho_client.outputs.prediction_text import format_prediction

WIDTH_WITHOUT_TERMINAL = 100


def make_console() -> Console:
    """Return a console on stdout that is wide enough for the report when stdout is not a terminal."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH_WITHOUT_TERMINAL
    return console


def render_report(study: StudyResult, *, per_video: bool = False) -> RenderableType:
    """Return the report: warning, predictions by anatomy, files and whose weights these are.

    Args:
        study: The study.
        per_video: Whether to add the predictions of each file.
    """
    parts: list[RenderableType] = [_predictions("Study", study.predictions)]
    if per_video:
        parts += [_predictions(shown_path(video.path), video.predictions) for video in study.videos if video.ok]
    parts += [_files(study), _origin(study.weights)]
    if study.weights.stand_in:
        parts.insert(0, _stand_in_panel(study.weights))
    return Group(*parts)


def _predictions(title: str, predictions: Mapping[str, Prediction]) -> Table:
    table = _plain_table(title)
    table.add_column("Task", overflow="fold")
    table.add_column("Value", justify="right", no_wrap=True)
    table.add_column("Meaning", overflow="fold")
    for group, members in _by_group(predictions.values()).items():
        table.add_row()
        table.add_row(Text(group, style="bold cyan"))
        for prediction in members:
            first, *others = format_prediction(prediction)
            table.add_row(Text(f"  {prediction.task.key}"), *map(Text, first))
            for value, meaning in others:
                table.add_row("", Text(value), Text(meaning), style="dim")
    table.add_row()
    return table


def _plain_table(title: str) -> Table:
    return Table(box=None, title=Text(title, style="bold"), title_justify="left", pad_edge=False, padding=(0, 1))


def _by_group(predictions: Iterable[Prediction]) -> dict[str, list[Prediction]]:
    groups: defaultdict[str, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        groups[prediction.task.group].append(prediction)
    return groups


def _files(study: StudyResult) -> Table:
    used = len(study.videos) - len(study.skipped)
    table = _plain_table(f"Files: {used} of {len(study.videos)} used")
    table.show_header = False
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for video in study.videos:
        status = Text(video.status) if video.ok else Text(f"skipped: {video.status}", style="yellow")
        table.add_row(Text(f"  {shown_path(video.path)}"), status)
    return table


def _origin(weights: Weights) -> Text:
    lines = [f"\nWeights: {weights.name}" + (f" (sha256 {weights.sha256[:12]}…)" if weights.sha256 else "")]
    if weights.licence:
        lines.append(f"Licence of the weights: {weights.licence}")
    if weights.notice and not weights.stand_in:
        lines.append(weights.notice)
    return Text("\n".join([*lines, NOT_CLINICAL]))


def _stand_in_panel(weights: Weights) -> Panel:
    return Panel(Text("\n".join(filter(None, [STAND_IN, weights.notice]))), title="WARNING", style="bold yellow")
