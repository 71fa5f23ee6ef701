"""``panecho`` and its subcommand ``panecho predict``."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from panecho_client._client import DEFAULT_TIMEOUT, DEFAULT_URL, PanEcho
from panecho_client._commands import build_app, installed_commands
from panecho_client._exceptions import PanEchoError
from panecho_client._files import FoundFiles, find_files
from panecho_client._report import make_console, render_report
from panecho_client._writing import Outputs

STDOUT = Path("-")


def main() -> None:
    """Run ``panecho``."""
    build_app(installed_commands())()


def predict(  # noqa: PLR0913 - one argument per option of the command
    paths: Annotated[
        list[Path], typer.Argument(help="Files of one study, or folders that hold them.", show_default=False)
    ],
    *,
    url: Annotated[str, typer.Option(help="host:port of the server's gRPC endpoint.")] = DEFAULT_URL,
    tasks: Annotated[
        str | None, typer.Option(help="Tasks to predict, such as 'EF,AVStenosis'. Default: all.", show_default=False)
    ] = None,
    num_clips: Annotated[int, typer.Option(min=1, help="Clips taken from each video.")] = 4,
    clip_length: Annotated[int, typer.Option(min=1, help="Frames of a clip.")] = 16,
    frame_stride: Annotated[int, typer.Option(min=1, help="A clip takes every nth frame.")] = 1,
    frame_rate: Annotated[
        float | None, typer.Option(help="Resample videos to so many frames per second first.", show_default=False)
    ] = None,
    mask: Annotated[
        Literal["auto", "region", "none"],
        typer.Option(help="What of a DICOM's frames is shown: the sector, the header's region, or all."),
    ] = "auto",
    on_error: Annotated[
        Literal["skip", "fail"], typer.Option(help="What to do about a file that cannot be used.")
    ] = "skip",
    json: Annotated[
        Path | None,
        typer.Option(help="Also write the results to this file; - prints them instead of the report.", metavar="FILE"),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Add a row per video, task and class to this table.", metavar="FILE")
    ] = None,
    wide_csv: Annotated[
        Path | None, typer.Option(help="Add a row for the study to this table.", metavar="FILE")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="Write a row per video, task and class as Parquet.", metavar="FILE")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report to read in a browser.", metavar="FILE")] = None,
    sr: Annotated[Path | None, typer.Option(help="Write a DICOM structured report.", metavar="FILE")] = None,
    include_identifiers: Annotated[
        bool, typer.Option("--include-identifiers", help="Write identifiers instead of pseudonyms.")
    ] = False,
    secret: Annotated[
        Path | None,
        typer.Option(help="File whose content makes pseudonyms that nobody can compute without it.", metavar="FILE"),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds that the prediction may take.")] = DEFAULT_TIMEOUT,
    per_video: Annotated[bool, typer.Option("--per-video", help="Also report the predictions of each file.")] = False,
) -> None:
    """Predict one study from all the files given and print a report.

    Exit status: 0 done, also when files were skipped (stderr says how many); 1 error; 2 wrong usage; 130 interrupted.
    """
    messages = Console(stderr=True, highlight=False, soft_wrap=True)
    outputs = Outputs(
        json=None if json == STDOUT else json,
        csv=csv,
        wide_csv=wide_csv,
        parquet=parquet,
        html=html,
        sr=sr,
        include_identifiers=include_identifiers,
        secret=secret,
    )
    _require_paths(outputs)
    try:
        found = find_files(paths)
        _tell_left_out(messages, found)
        with PanEcho(url, timeout=timeout) as panecho, _waiting(messages, found, url):
            study = panecho.predict_study(
                found.files,
                tasks=None if tasks is None else [key.strip() for key in tasks.split(",")],
                num_clips=num_clips,
                clip_length=clip_length,
                frame_stride=frame_stride,
                frame_rate=frame_rate,
                mask=mask,
                on_error=on_error,
                embedding=False,
            )
        outputs.write(study)
    except PanEchoError as error:
        _fail(messages, str(error))
    if json == STDOUT:
        typer.echo(study.to_json())
    else:
        make_console().print(render_report(study, per_video=per_video))
    if study.skipped:
        messages.print(f"{len(study.skipped)} of {len(study.videos)} files were skipped.", style="yellow")


def _require_paths(outputs: Outputs) -> None:
    """Refuse before the prediction what could not be written after it."""
    if outputs.secret is not None and not outputs.secret.is_file():
        raise typer.BadParameter(f"{outputs.secret} is no file.", param_hint="--secret")
    for name in ("json", "csv", "wide_csv", "parquet", "html", "sr"):
        path = getattr(outputs, name)
        if path is not None and not path.parent.is_dir():
            raise typer.BadParameter(
                f"the folder {path.parent} does not exist.", param_hint=f"--{name.replace('_', '-')}"
            )


@contextmanager
def _waiting(messages: Console, found: FoundFiles, url: str) -> Iterator[None]:
    count = len(found.files)
    text = f"Predicting {count} file{'s' if count > 1 else ''} at {url}"
    if not messages.is_terminal:
        messages.print(text, markup=False)
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=messages, transient=True) as progress:
        progress.add_task(text, total=None)
        yield


def _tell_left_out(messages: Console, found: FoundFiles) -> None:
    for reason, count in Counter(left_out.reason for left_out in found.left_out).items():
        messages.print(f"left out {count} file{'s' if count > 1 else ''}: {reason}", markup=False)


def _fail(messages: Console, text: str) -> NoReturn:
    messages.print(f"panecho predict: {text}", style="red", markup=False)
    raise typer.Exit(1) from None
