"""A study's predictions as a report for a terminal."""

import os
from dataclasses import replace
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from panecho_client._description import Weights
from panecho_client._files.found_files import shown_path
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import NOT_CLINICAL, STAND_IN, StudyResult, VideoResult
from panecho_client.outputs.assessment import Assessment, assess
from panecho_client.outputs.prediction_text import format_percent, readable_class
from panecho_client.outputs.printable import hide_controls, one_line
from panecho_client.outputs.reference_ranges import GUIDELINES, RangeTable

WIDTH_WITHOUT_TERMINAL = 100
SEVERE = 4
SEXES = {"F": "women ", "M": "men ", None: ""}
UNKNOWN = StudyIdentity(study="", study_instance_uid=None, patient=None, identified=False, study_count=1, files=())
"""A patient of whom nothing is known."""


def make_console() -> Console:
    """Return a console on stdout that is wide enough for the report when stdout is not a terminal."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH_WITHOUT_TERMINAL
    return hide_controls(console)


def render_report(
    study: StudyResult,
    *,
    per_video: bool = False,
    identity: StudyIdentity = UNKNOWN,
    ranges: RangeTable = GUIDELINES,
) -> RenderableType:
    """Return the report: warning, what is abnormal, measurements, findings, files and whose weights these are.

    Args:
        study: The study.
        per_video: Whether to add the predictions of each file.
        identity: Its patient's sex, age and body surface, where they are known.
        ranges: Reference ranges; see ``load_ranges``.
    """
    assessment = assess(study, identity, ranges)
    parts: list[RenderableType] = [_summary(assessment), _measured(assessment), _classified(assessment)]
    if per_video:
        parts += [part for video in study.videos if video.ok for part in _video(study, video, ranges)]
    parts += [_files(study), _origin(study.weights)]
    if study.weights.stand_in:
        parts.insert(0, _stand_in_panel(study.weights))
    return Group(*parts)


def _summary(assessment: Assessment) -> RenderableType:
    lines = [Text(assessment.no_ranges, style="yellow")] if assessment.no_ranges else []
    lines += [Text(f"check: {text}", style="bold yellow") for text in assessment.contradictions]
    for statement in assessment.abnormal:
        style = "bold red" if statement.severity >= SEVERE else "bold"
        lines.append(Text.assemble((statement.text, style), f" ({statement.evidence})"))
    lines += [Text(f"undecided: {statement.text} ({statement.evidence})") for statement in assessment.undecided]
    if not assessment.abnormal:
        lines.append(Text("Nothing abnormal was predicted."))
    return Group(Text("Summary", style="bold"), *(_indented(line, 2) for line in lines), "")


def _measured(assessment: Assessment) -> Table:
    table = _plain_table("Measurements")
    table.add_column("Task", overflow="fold")
    table.add_column("Value", justify="right", no_wrap=True)
    table.add_column("Expected error", overflow="fold")
    table.add_column("Range", overflow="fold")
    for group, members in groupby(assessment.measured, key=lambda value: value.group):
        table.add_row()
        table.add_row(Text(group, style="bold cyan"))
        for value in members:
            ranges = "; ".join(f"{SEXES[normal.sex]}{normal.text}" for normal in value.ranges)
            verdict = f" ({value.verdict})" if value.verdict else ""
            style = "" if value.severity == 0 else "bold"
            table.add_row(*map(Text, (f"  {value.key}", value.text, value.error, f"{ranges}{verdict}")), style=style)
    table.add_row()
    return table


def _classified(assessment: Assessment) -> Table:
    table = _plain_table("Findings")
    table.add_column("Finding (task)", overflow="fold")
    table.add_column("Probability", justify="right", no_wrap=True)
    for group, members in groupby(assessment.classified, key=lambda value: value.group):
        table.add_row()
        table.add_row(Text(group, style="bold cyan"))
        for value in members:
            finding = value.sentence if value.decided else f"undecided: {value.sentence}"
            said = Text.assemble(finding, (f" ({value.key})", "dim"))
            table.add_row(_indented(said, 2), format_percent(value.probability))
            for name, probability in value.probabilities:
                if name != value.label:
                    table.add_row(_indented(readable_class(name), 4), format_percent(probability), style="dim")
    table.add_row()
    return table


def _video(study: StudyResult, video: VideoResult, ranges: RangeTable) -> list[RenderableType]:
    alone = replace(study, predictions=video.predictions, videos=(video,))
    assessment = assess(alone, UNKNOWN, ranges)
    return [Text(one_line(shown_path(video.path)), style="bold"), _measured(assessment), _classified(assessment)]


def _indented(text: Text | str, columns: int) -> Padding:
    """Return a cell whose lines, also those after the first, are indented."""
    return Padding(Text(text) if isinstance(text, str) else text, (0, 0, 0, columns))


def _plain_table(title: str) -> Table:
    return Table(box=None, title=Text(title, style="bold"), title_justify="left", pad_edge=False, padding=(0, 1))


def _files(study: StudyResult) -> Table:
    used = len(study.videos) - len(study.skipped)
    table = _plain_table(f"Files: {used} of {len(study.videos)} used")
    table.show_header = False
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for video in study.videos:
        status = Text(video.status) if video.ok else Text(f"skipped: {video.status}", style="yellow")
        table.add_row(Text(f"  {one_line(shown_path(video.path))}"), status)
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
