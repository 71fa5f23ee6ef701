"""``panecho predict --output``: a run over many studies."""

import asyncio
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from cyclopts import CycloptsError
from rich.console import Console

from panecho_client._archive.output_folder import OutputFolder
from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._archive.progress import RunProgress
from panecho_client._archive.run import ArchiveRun
from panecho_client._archive.shard import Shard, read_index
from panecho_client._archive.shard_merge import SHARD, note_finished
from panecho_client._archive.study_source import DicomWebStudy, StudyInFiles, StudySource
from panecho_client._async_client import AsyncPanEcho
from panecho_client._commands.console import INTERRUPTED, SOME_FAILED, UNAVAILABLE, make_messages
from panecho_client._commands.options import Naming, RunOptions, ServerOptions, StudySelection, parse_pairs
from panecho_client._commands.predict_study import open_local, tell_left_out
from panecho_client._description import Task, Weights
from panecho_client._exceptions import FilesError, RequestError, ServerUnavailableError
from panecho_client._files.found_files import find_files, shown_path
from panecho_client._requests import choose_tasks, recorded
from panecho_client.sources.dicomweb import DicomWeb
from panecho_client.sources.grouping import group_studies
from panecho_client.sources.local_study import LocalStudy
from panecho_client.sources.video_studies import BY_FILE, VideoStudies

FAILURES_SHOWN = 10


def predict_many(  # noqa: PLR0913 - one argument per group of options
    paths: Sequence[Path],
    request: PredictionRequest,
    *,
    selection: StudySelection,
    run: RunOptions,
    naming: Naming,
    server: ServerOptions,
    command: str = "panecho predict",
) -> int:
    """Predict every study that the output folder lacks, say what failed, and return the exit status.

    Raises:
        CycloptsError: The shard, a query or a header cannot be read.
        PanEchoError: There is nothing to predict, or something ends the whole run.
    """
    messages, shard, folder = make_messages(), _shard(selection), _folder(run, naming)
    with ExitStack() as opened:
        sources = _sources(paths, selection, shard, opened, messages)
        status = predict_sources(
            sources,
            request,
            folder,
            server=server,
            resume=run.resume,
            again="Continue with --resume.",
            shard=shard,
            command=command,
        )
    if status not in {INTERRUPTED, UNAVAILABLE}:
        for table in folder.tables:
            print(table)
    return status


def predict_sources(  # noqa: PLR0913 - what, where from, where to
    sources: Sequence[StudySource],
    request: PredictionRequest,
    folder: OutputFolder,
    *,
    server: ServerOptions,
    resume: bool,
    again: str,
    shard: Shard | None = None,
    command: str = "panecho predict",
) -> int:
    """Predict every study that the folder lacks, with progress and failures on stderr, and return the exit status.

    Args:
        sources: The studies.
        request: What to predict of each.
        folder: Where results go.
        server: The server.
        resume: Whether the folder may hold results of an earlier run.
        again: How to continue after an interruption.
        shard: Which part of an archive the studies are, if not all of it.
        command: What to call the command in messages.

    Raises:
        PanEchoError: Something ends the whole run.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    messages = make_messages()
    client = partial(AsyncPanEcho, server.connection, transport=open_local(server, messages))
    with RunProgress(messages, len(sources)) as progress:
        try:
            predicted = _run(
                client,
                sources,
                request,
                shard=shard,
                folder=folder,
                progress=progress,
                concurrency=server.concurrency,
                resume=resume,
            )
            asyncio.run(predicted)
        except KeyboardInterrupt:
            messages.print(f"Interrupted. {progress.summary} {again}")
            return INTERRUPTED
        except ServerUnavailableError as error:
            messages.print(f"{command}: {error} {progress.summary} {again}", style="red", markup=False)
            return UNAVAILABLE
        except FilesError:
            messages.print(f"Stopped. {progress.summary} {again}")
            raise
    if shard:
        note_finished(folder.path)
    return _tell(folder, progress, messages)


def _shard(selection: StudySelection) -> Shard | None:
    try:
        return Shard.parse(selection.shard) if selection.shard else None
    except ValueError as error:
        raise CycloptsError(msg=f"--shard: {error}") from None


def _folder(run: RunOptions, naming: Naming) -> OutputFolder:
    if run.output is None:
        raise CycloptsError(msg="--output FOLDER is missing.")
    return OutputFolder(
        run.output,
        html="html" in run.formats,
        sr="sr" in run.formats,
        reports=further_reports(run.formats),
        parquet="parquet" in run.formats,
        embeddings="embeddings" in run.formats,
        include_identifiers=naming.include_identifiers,
        pseudonym_key=naming.key,
        key_table=naming.key_table,
    )


def further_reports(formats: Iterable[str]) -> tuple[str, ...]:
    """Return the reports among formats that are no switch of ``OutputFolder``."""
    return tuple(name.replace("-", "_") for name in formats if name not in ("html", "sr", "parquet", "embeddings"))


async def _run(  # noqa: PLR0913 - as ``predict_many``
    client: Callable[..., AsyncPanEcho],
    sources: Sequence[StudySource],
    request: PredictionRequest,
    *,
    shard: Shard | None,
    folder: OutputFolder,
    progress: RunProgress,
    concurrency: int,
    resume: bool,
) -> None:
    if shard and not sources:  # nothing is asked of the server, which need not be there
        folder.prepare(resume=resume, settings={SHARD: str(shard)})
        folder.finish()
        return
    async with client(concurrency=concurrency) as panecho:
        tasks, weights = choose_tasks(await panecho.tasks(), request.tasks), await panecho.weights()
        folder.prepare(resume=resume, settings=run_settings(request, tasks, weights, shard))
        run = ArchiveRun(
            panecho=panecho, folder=folder, request=request, studies_at_a_time=concurrency, weights=weights
        )
        await run.predict(sources, progress.count)


def run_settings(
    request: PredictionRequest, tasks: Sequence[Task], weights: Weights, shard: Shard | None = None
) -> dict[str, str | int | bool | None]:
    """Return what all studies of a folder have in common."""
    return {
        "tasks": ",".join(task.key for task in tasks),
        **recorded(request.clip_options.parameters(request.on_error), weights),
        "key_frames": request.key_frames,
        "weights": weights.name,
        "weights_sha256": weights.sha256,
        "precision": weights.manifest.precision if weights.manifest else None,
        "stand_in": weights.stand_in,
        **({SHARD: str(shard)} if shard else {}),
    }


def _sources(
    paths: Sequence[Path], selection: StudySelection, shard: Shard | None, opened: ExitStack, messages: Console
) -> list[StudySource]:
    with messages.status("Looking for studies"):
        if selection.index:
            sources = read_index(selection.index, shard)  # of those of the shard alone: no other file need be read
        else:
            sources = (
                _remote(selection.dicomweb, selection, opened)
                if selection.dicomweb
                else _local(paths, selection, messages)
            )
            sources = shard.take(sources) if shard else sources
    of_shard = f" of shard {shard}" if shard else ""
    messages.print(f"Found {len(sources)} stud{'ies' if len(sources) != 1 else 'y'}{of_shard}.")
    return sources


def _remote(url: str, selection: StudySelection, opened: ExitStack) -> list[StudySource]:
    query = parse_pairs(selection.query, "=", "--query")
    server = opened.enter_context(DicomWeb(url, headers=selection.dicomweb_headers))
    found = server.studies(**query)
    if not found:
        raise RequestError(f"{server.server} holds no ultrasound study that matches; change --query.", code="NOT_FOUND")
    return [DicomWebStudy(server=server, study=study) for study in found]


def _local(paths: Sequence[Path], selection: StudySelection, messages: Console) -> list[StudySource]:
    return [StudyInFiles(study) for study in find_studies(paths, selection.videos, messages)]


def find_studies(paths: Sequence[Path], videos: VideoStudies, messages: Console) -> tuple[LocalStudy, ...]:
    """Find files, sort them into studies, and say what was left out and what was assumed.

    Raises:
        FilesError: A path cannot be read, or no file is DICOM or a video.
        RequestError: See ``group_studies``.
    """
    found = find_files(paths)
    left_out = [*found.left_out]
    studies = group_studies(found.files, videos=videos, on_left_out=left_out.append)
    tell_left_out(messages, left_out)
    if not studies:
        names = ", ".join(map(shown_path, paths))
        raise FilesError(f"{names}: no file is DICOM or a video; name a folder that holds some.", paths=paths)
    alone = sum(study.headers_read[0].study_instance_uid is None for study in studies)
    if alone and videos is BY_FILE:
        messages.print(
            f"{alone} stud{'ies' if alone != 1 else 'y'} of videos without DICOM header: each video is taken as one "
            "study; --study-from joins them by folder, name or table."
        )
    return studies


def _tell(folder: OutputFolder, progress: RunProgress, messages: Console) -> int:
    messages.print(progress.summary)
    for failure in folder.failures[:FAILURES_SHOWN]:
        messages.print(f"{failure.study}: {failure.reason}", style="red", markup=False)
    if len(folder.failures) > FAILURES_SHOWN:
        messages.print(f"… and {len(folder.failures) - FAILURES_SHOWN} more: see failures.csv.")
    if progress.counts["incomplete"]:
        messages.print(
            "Instances that could not be fetched have the status NOT_FETCHED in predictions.csv. To fetch them again, "
            "remove the folders of their studies and give --resume.",
            style="yellow",
        )
    return SOME_FAILED if folder.failures or progress.counts["incomplete"] else 0
