"""``panecho predict`` of one study."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._client import PanEcho
from panecho_client._exceptions import RequestError
from panecho_client._files import FoundFiles, find_files
from panecho_client._results import StudyResult
from panecho_client._sender import OnProgress, ignore_progress
from panecho_client.outputs.png import as_pngs
from panecho_client.outputs.study_files import Outputs
from panecho_client.outputs.terminal import make_console, render_report
from panecho_client.sources.grouping import count_studies


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What is printed.

    Attributes:
        json: JSON instead of a report.
        per_video: Also the predictions of each file.
        url: Of the server, named while it is waited for.
    """

    url: str
    json: bool
    per_video: bool


def predict_one(  # noqa: PLR0913 - what, where and how to show it
    panecho: PanEcho,
    paths: list[Path],
    wanted: PredictionRequest,
    *,
    outputs: Outputs,
    shown: ReportOptions,
    one_study: bool,
    messages: Console,
) -> None:
    """Predict one study, write its outputs and print it.

    Raises:
        PanEchoError: The files are of several studies, or as of ``PanEcho.predict_study``.
    """
    found = find_files(paths)
    tell_left_out(messages, found)
    if not one_study:
        _require_one_study(found)
    with waiting(messages, found, shown.url) as on_progress:
        study = panecho.predict_study(
            found.files,
            tasks=wanted.tasks,
            clip_options=wanted.clip_options,
            on_error=wanted.on_error,
            embedding=False,
            on_progress=on_progress,
        )
        frames = _key_frames(panecho, study, wanted) if outputs.html and wanted.key_frames else None
        outputs.write(study, key_frames=frames)
    if shown.json:
        typer.echo(study.to_json())
    else:
        make_console().print(render_report(study, per_video=shown.per_video))
    if study.skipped:
        messages.print(f"{len(study.skipped)} of {len(study.videos)} files were skipped.", style="yellow")


def tell_left_out(messages: Console, found: FoundFiles) -> None:
    """Say how many files are not sent, and why."""
    for reason, count in Counter(left_out.reason for left_out in found.left_out).items():
        messages.print(f"left out {count} file{'s' if count > 1 else ''}: {reason}", markup=False)


def _require_one_study(found: FoundFiles) -> None:
    """Refuse to mix what may be several patients; without pydicom nobody can tell."""
    count = count_studies(found.files)
    if count > 1:
        raise RequestError(
            f"these files are of {count} studies (StudyInstanceUID); predict each of them with --output FOLDER, or "
            "take them as one with --one-study."
        )


def _key_frames(panecho: PanEcho, study: StudyResult, wanted: PredictionRequest) -> dict[Path, bytes]:
    used = [video.path for video in study.videos if video.ok]
    return as_pngs(panecho.key_frames(used, clip_options=wanted.clip_options))


@contextmanager
def waiting(messages: Console, found: FoundFiles, url: str) -> Iterator[OnProgress]:
    """Show how many files are done; ``Predicting`` is said where there is no terminal."""
    count = len(found.files)
    text = f"Predicting {count} file{'s' if count > 1 else ''} at {url}"
    if not messages.is_terminal:
        messages.print(text, markup=False)
        yield ignore_progress
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=messages, transient=True) as progress:
        bar = progress.add_task(text, total=count)
        yield lambda done, _of: progress.update(bar, completed=done)
