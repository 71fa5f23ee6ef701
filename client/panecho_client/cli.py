"""``panecho`` and its subcommand ``panecho predict``."""

import os
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
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds that the prediction may take.")] = DEFAULT_TIMEOUT,
    per_video: Annotated[bool, typer.Option("--per-video", help="Also report the predictions of each file.")] = False,
) -> None:
    """Predict one study from all the files given and print a report.

    Exit status: 0 done, also when files were skipped (stderr says how many); 1 error; 2 wrong usage; 130 interrupted.
    """
    messages = Console(stderr=True, highlight=False, soft_wrap=True)
    if json is not None and not json.parent.is_dir():
        raise typer.BadParameter(f"the folder {json.parent} does not exist.", param_hint="--json")
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
    except PanEchoError as error:
        _fail(messages, str(error))
    if json is not None and json != STDOUT:
        _write(json, study.to_json() + "\n", messages)
    if json == STDOUT:
        typer.echo(study.to_json())
    else:
        make_console().print(render_report(study, per_video=per_video))
    if study.skipped:
        messages.print(f"{len(study.skipped)} of {len(study.videos)} files were skipped.", style="yellow")


def _write(path: Path, text: str, messages: Console) -> None:
    """Write a file so that nobody ever sees half of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():
            path.write_text(text)  # a device or a pipe, which must not be replaced
            return
        unfinished.write_text(text)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        _fail(messages, f"{path} cannot be written: {error.strerror}.")


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
