"""``panecho predict`` of one study."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._client import PanEcho
from panecho_client._commands.console import make_messages
from panecho_client._commands.options import Naming, ReportOptions, ServerOptions, StudySelection
from panecho_client._exceptions import NoUsableVideoError, RequestError
from panecho_client._files.found_files import FoundFiles, LeftOut, find_files
from panecho_client._identity.headers import SopInstance, read_headers, with_content
from panecho_client._identity.key_table import append_key_table
from panecho_client._identity.study_identity import StudyIdentity, identify
from panecho_client._results import StudyResult
from panecho_client._sender import OnProgress, ignore_progress
from panecho_client._transport.base import Transport
from panecho_client.outputs.reference_ranges import GUIDELINES
from panecho_client.outputs.study_files import Outputs
from panecho_client.outputs.terminal import UNKNOWN, make_console, render_report
from panecho_client.sources.grouping import count_studies

STDOUT = Path("-")


def predict_one(  # noqa: PLR0913 - one argument per group of options
    paths: Sequence[Path],
    request: PredictionRequest,
    *,
    files: Outputs,
    report: ReportOptions,
    selection: StudySelection,
    naming: Naming,
    server: ServerOptions,
) -> int:
    """Predict one study, write its files and print a report; return the exit status.

    Raises:
        CycloptsError: There is no file with a key for pseudonyms.
        PanEchoError: The files are of several studies; or see ``PanEcho.predict_study`` and ``Outputs.write``.
    """
    messages, pseudonym_key = make_messages(), naming.key
    written = replace(files, json=None) if files.json == STDOUT else files
    key_frames = request.key_frames and any((files.html, files.pdf, files.dicom_pdf))
    connection, found = server.connection, find_files(paths)
    tell_left_out(messages, found.left_out)
    headers = () if report.one_study else _headers_of_one_study(found.files, selection)
    transport = open_local(server, messages)
    with (
        PanEcho(connection, concurrency=server.concurrency, transport=transport) as panecho,
        waiting(messages, found, server.place) as on_progress,
    ):
        study = _predict(panecho, found, replace(request, key_frames=key_frames), on_progress)
    identity = None
    if naming.key_table:
        _note_names(study, headers, naming)
    if written.name_study:
        identity = identify(
            study, headers=headers, include_identifiers=naming.include_identifiers, pseudonym_key=pseudonym_key
        )
    written.write(study, identity, key_frames=key_frames, ranges=request.ranges)
    if files.json == STDOUT:
        print(study.to_json())
    else:
        patient = StudyIdentity.of(headers) if headers else UNKNOWN
        ranges = GUIDELINES if request.ranges is None else request.ranges
        shown = render_report(study, per_video=report.per_video, identity=patient, ranges=ranges)
        make_console().print(shown)
    if study.skipped:
        messages.print(f"{len(study.skipped)} of {len(study.videos)} files were skipped.", style="yellow")
    return 0


def _predict(panecho: PanEcho, found: FoundFiles, request: PredictionRequest, on_progress: OnProgress) -> StudyResult:
    try:
        return panecho.predict_study(
            found.files,
            tasks=request.tasks,
            clip_options=request.clip_options,
            on_error=request.on_error,
            embedding=False,
            key_frames=request.key_frames,
            on_progress=on_progress,
        )
    except NoUsableVideoError as error:
        if error.without_cine:
            raise RequestError(f"nothing to predict, as no file is a cine: {error}", paths=error.paths) from None
        raise


def _note_names(study: StudyResult, headers: Sequence[SopInstance], naming: Naming) -> None:
    if naming.key_table:
        known = {header.path: header for header in headers}
        found = [known.get(video.path) or read_headers([video.path])[0] for video in study.videos]
        append_key_table(naming.key_table, [*map(with_content, found)], pseudonym_key=naming.key)


def open_local(server: ServerOptions, messages: Console) -> Transport | None:
    """Return what answers in this process, with a word that loading takes a while; None for a server."""
    if server.process.local:
        messages.print("Loading PanEcho …")
    return server.process.transport()


def tell_left_out(messages: Console, found: Iterable[LeftOut]) -> None:
    """Say how many files are left out, and why."""
    for reason, count in Counter(left_out.reason for left_out in found).items():
        messages.print(f"left out {count} file{'s' if count > 1 else ''}: {reason}", markup=False)


def _headers_of_one_study(files: Sequence[Path], selection: StudySelection) -> tuple[SopInstance, ...]:
    """Refuse to mix what may be several patients; without pydicom DICOM files count as one study."""
    count, headers = count_studies(files, videos=selection.videos)
    if count > 1:
        raise RequestError(
            f"these files are of {count} studies (DICOM by StudyInstanceUID; other videos each by itself, unless "
            "--study-from says otherwise); predict each study with --output FOLDER, or take all files as one study "
            "with --one-study."
        )
    return headers


@contextmanager
def waiting(messages: Console, found: FoundFiles, place: str) -> Iterator[OnProgress]:
    """Show how many files are done, on a terminal; elsewhere say once what is being predicted."""
    count = len(found.files)
    text = f"Predicting {count} file{'s' if count > 1 else ''} {place}"
    if not messages.is_terminal:
        messages.print(text, markup=False)
        yield ignore_progress
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=messages, transient=True) as progress:
        bar = progress.add_task(text, total=count)
        yield lambda done, _of: progress.update(bar, completed=done)
