"""``panecho predict --output``: a run over many studies."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import typer
from rich.console import Console

from panecho_client._archive.output_folder import OutputFolder
from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._archive.progress import RunProgress
from panecho_client._archive.run import ArchiveRun
from panecho_client._archive.shard import Shard, read_index
from panecho_client._archive.shard_merge import SHARD, note_finished
from panecho_client._archive.study_source import DicomWebStudy, LocalStudy, StudySource
from panecho_client._async_client import AsyncPanEcho
from panecho_client._commands.predict_study import tell_left_out
from panecho_client._connection import Connection
from panecho_client._description import Task, Weights
from panecho_client._exceptions import RequestError
from panecho_client._files import find_files
from panecho_client._requests import choose_tasks, recorded
from panecho_client.sources.dicomweb import DicomWeb
from panecho_client.sources.grouping import group_studies

FAILURES_SHOWN = 10
SOME_FAILED = 3
INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class StudySelection:
    """Where studies come from: ``paths``, ``index``, or the DICOMweb server at ``dicomweb``.

    Attributes:
        paths: Files, folders and archives.
        index: List of studies.
        shard: Which of the studies, if not all.
        dicomweb: Address of a DICOMweb service.
        query: DICOM keywords and what they must match.
        headers: Sent to it.
    """

    paths: Sequence[Path] = ()
    index: Path | None = None
    shard: Shard | None = None
    dicomweb: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def predict_many(  # noqa: PLR0913 - what, where from, where to
    connection: Connection,
    origin: StudySelection,
    wanted: PredictionRequest,
    folder: OutputFolder,
    *,
    concurrency: int,
    resume: bool,
    messages: Console,
) -> None:
    """Predict every study of the origin that the folder lacks, and say what failed.

    Raises:
        PanEchoError: Nothing to predict, or what ends the whole run.
        typer.Exit: 3, some studies failed; 130, interrupted.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as opened:
        sources = _sources(origin, opened, messages)
        progress = opened.enter_context(RunProgress(messages, len(sources)))
        try:
            run = _run(
                connection,
                sources,
                wanted,
                folder,
                progress,
                shard=origin.shard,
                concurrency=concurrency,
                resume=resume,
            )
            asyncio.run(run)
        except KeyboardInterrupt:
            messages.print(f"Interrupted. {progress.summary} Go on with --resume.")
            raise typer.Exit(INTERRUPTED) from None
    if origin.shard:
        note_finished(folder.path)
    _tell(folder, progress, messages)


async def _run(  # noqa: PLR0913 - as ``predict_many``
    connection: Connection,
    sources: Sequence[StudySource],
    wanted: PredictionRequest,
    folder: OutputFolder,
    progress: RunProgress,
    *,
    shard: Shard | None,
    concurrency: int,
    resume: bool,
) -> None:
    async with AsyncPanEcho(connection, concurrency=concurrency) as panecho:
        tasks = choose_tasks(await panecho.tasks(), wanted.tasks)
        folder.prepare(resume=resume, settings=_settings(wanted, tasks, await panecho.weights(), shard))
        run = ArchiveRun(panecho=panecho, folder=folder, wanted=wanted, studies_at_a_time=concurrency)
        await run.predict(sources, progress.count)


def _settings(
    wanted: PredictionRequest, tasks: Sequence[Task], weights: Weights, shard: Shard | None
) -> dict[str, str | int | bool | None]:
    """Return what all studies of a folder have in common."""
    return {
        "tasks": ",".join(task.key for task in tasks),
        **recorded(wanted.clip_options.parameters(wanted.on_error), weights),
        "key_frames": wanted.key_frames,
        "weights": weights.name,
        "weights_sha256": weights.sha256,
        "precision": weights.manifest.precision if weights.manifest else None,
        "stand_in": weights.stand_in,
        **({SHARD: str(shard)} if shard else {}),
    }


def _sources(origin: StudySelection, opened: ExitStack, messages: Console) -> list[StudySource]:
    with messages.status("Looking for studies"):
        sources = _all(origin, opened, messages)
        if origin.shard and not origin.index:
            sources = origin.shard.take(sources)
    of_shard = f" of shard {origin.shard}" if origin.shard else ""
    messages.print(f"Found {len(sources)} stud{'ies' if len(sources) != 1 else 'y'}{of_shard}.")
    return sources


def _all(origin: StudySelection, opened: ExitStack, messages: Console) -> list[StudySource]:
    """Return all studies; of an index those of the shard alone, because no other file need be read."""
    if origin.index:
        return read_index(origin.index, origin.shard)
    return _remote(origin.dicomweb, origin, opened) if origin.dicomweb else _local(origin.paths, messages)


def _remote(url: str, origin: StudySelection, opened: ExitStack) -> list[StudySource]:
    server = opened.enter_context(DicomWeb(url, headers=origin.headers))
    found = server.studies(**origin.query)
    if not found:
        raise RequestError(f"{server.server} holds no ultrasound study that matches; change --query.", code="NOT_FOUND")
    return [DicomWebStudy(server=server, study=study) for study in found]


def _local(paths: Sequence[Path], messages: Console) -> list[StudySource]:
    found = find_files(paths)
    tell_left_out(messages, found)
    return [LocalStudy(paths=group) for group in group_studies(found.files)]


def _tell(folder: OutputFolder, progress: RunProgress, messages: Console) -> None:
    messages.print(progress.summary)
    for failure in folder.failures[:FAILURES_SHOWN]:
        messages.print(f"{failure.study}: {failure.reason}", style="red", markup=False)
    if len(folder.failures) > FAILURES_SHOWN:
        messages.print(f"… and {len(folder.failures) - FAILURES_SHOWN} more: see failures.csv.")
    for table in folder.tables:
        typer.echo(table)
    if folder.failures:
        raise typer.Exit(SOME_FAILED)
