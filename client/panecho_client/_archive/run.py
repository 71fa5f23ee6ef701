"""A run over many studies: predicts and writes them one by one; a study that fails does not harm the others."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from panecho_client._archive.output_folder import OutputFolder
from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._archive.progress import StudyOutcome
from panecho_client._archive.study_source import StudyFiles, StudySource
from panecho_client._async_client import AsyncPanEcho
from panecho_client._description import Weights
from panecho_client._exceptions import (
    FilesError,
    IncompatibleServerError,
    NoUsableVideoError,
    PanEchoError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
    UnknownTaskError,
)
from panecho_client._files.whole_files import STORAGE
from panecho_client._results import StudyResult, VideoResult

if TYPE_CHECKING:
    from panecho_client.sources.dicomweb import MissingInstance


class OtherWeightsError(ServerError):
    """The server serves other weights than those of a folder's results."""

    default_code = "ABORTED"


# Errors that every remaining study would meet too: of the server that predicts, and of the one that holds the studies.
HOPELESS = (ServerUnavailableError, IncompatibleServerError, OtherWeightsError, UnknownTaskError)
HOPELESS_SOURCE = (ServerUnavailableError,)
HOPELESS_STUDY = (OtherWeightsError, UnknownTaskError)

NOT_FETCHED = "NOT_FETCHED"
"""Status of an instance that its DICOMweb server did not hand over."""


@dataclass(frozen=True, kw_only=True)
class ArchiveRun:
    """What is done with every study.

    Attributes:
        panecho: The server.
        folder: Where results go.
        request: What to predict.
        studies_at_a_time: Studies in progress at a time; their requests share the client's ``concurrency``.
        weights: The weights of all results in the folder, if they are known.
    """

    panecho: AsyncPanEcho
    folder: OutputFolder
    request: PredictionRequest
    studies_at_a_time: int
    weights: Weights | None = None

    async def predict(self, sources: Iterable[StudySource], on_outcome: Callable[[StudyOutcome], None]) -> None:
        """Predict every study that the folder lacks. However this ends, the folder's tables hold what was written.

        Raises:
            PanEchoError: The server is gone for good, or the folder cannot be written.
        """
        stopped: PanEchoError | None = None
        try:
            await self._predict_all(sources, on_outcome)
        except* PanEchoError as errors:
            (stopped, *_) = _flattened(errors)
        finally:
            with suppress(FilesError) if stopped else nullcontext():  # the first fault is the one to name
                self.folder.finish()
        if stopped:
            raise stopped from None

    async def _predict_all(self, sources: Iterable[StudySource], on_outcome: Callable[[StudyOutcome], None]) -> None:
        room = asyncio.Semaphore(self.studies_at_a_time)
        async with asyncio.TaskGroup() as group:
            for source in sources:
                await room.acquire()
                # One at a time: names depend on the order.
                name = self.folder.claim(await asyncio.to_thread(self._name, source))
                task = group.create_task(self._outcome(source, name))
                task.add_done_callback(lambda task: _report(task, on_outcome))
                task.add_done_callback(lambda _: room.release())

    def _name(self, source: StudySource) -> str:
        return source.name(include_identifiers=self.folder.include_identifiers, pseudonym_key=self.folder.pseudonym_key)

    async def _outcome(self, source: StudySource, name: str) -> StudyOutcome:
        if self.folder.has(name):
            return "kept"
        files: StudyFiles | None = None
        try:
            with source.opened() as fetch:
                files = await asyncio.to_thread(fetch)
                await self.predict_files(name, files)
        except PanEchoError as error:
            if ends_the_run(error, HOPELESS if files else HOPELESS_SOURCE):
                raise
            empty = isinstance(error, NoUsableVideoError) and error.without_cine
            empty = empty and not (files and files.missing)  # what could not be fetched may hold cines
            self.folder.fail(name, files.headers if files else (), error, without_cine=empty)
            return "without cine" if empty else "failed"
        return "incomplete" if files.missing else "done"

    async def predict_files(self, name: str, files: StudyFiles) -> None:
        """Predict a study and write its folder, whole or not at all.

        Args:
            name: From ``OutputFolder.claim``.
            files: The study.

        Raises:
            PanEchoError: It cannot be predicted or written.
        """
        headers = (*files.headers, *(missing.header for missing in files.missing))
        await asyncio.to_thread(self.folder.note_names, headers)
        study = await self._predict(files)
        write = partial(
            self.folder.write,
            name,
            study,
            headers=headers,
            key_frames=self._key_frames,
            ranges=self.request.ranges,
        )
        await _finished(asyncio.to_thread(write))

    @property
    def _key_frames(self) -> bool:
        return self.folder.shows_frames and self.request.key_frames

    async def _predict(self, files: StudyFiles) -> StudyResult:
        request = self.request
        if files.missing and request.on_error == "fail":
            raise files.missing[0].error
        study = await self.panecho.predict_study(
            [header.path for header in files.headers],
            tasks=request.tasks,
            clip_options=request.clip_options,
            on_error=request.on_error,
            embedding=self.folder.embeddings,
            key_frames=self._key_frames,
        )
        self._require_weights(study.weights)
        return with_missing(study, files.missing)

    def _require_weights(self, found: Weights) -> None:
        if self.weights is not None and _identity_of(found) != _identity_of(self.weights):
            raise OtherWeightsError(
                f"the server serves other weights ({found.name}) than those that {self.folder.path} was started with "
                f"({self.weights.name}); name another folder for them."
            )


def _identity_of(weights: Weights) -> tuple[str, str | None, str | None]:
    return weights.name, weights.sha256, weights.manifest.precision if weights.manifest else None


def with_missing(study: StudyResult, missing: "Sequence[MissingInstance]") -> StudyResult:
    """Return the result with a video for each instance that could not be fetched, in the place that it would have."""
    unfetched = [
        VideoResult(path=each.header.path, status=f"{NOT_FETCHED}: {each.error}", predictions={}) for each in missing
    ]
    return replace(study, videos=tuple(sorted((*study.videos, *unfetched), key=lambda video: video.path.name)))


def ends_the_run(error: PanEchoError, hopeless: tuple[type[PanEchoError], ...] = HOPELESS_STUDY) -> bool:
    """Tell whether every remaining study would meet this error too: no server, other weights, no room on the disk."""
    if isinstance(error, FilesError):
        return error.code == STORAGE
    return isinstance(error, hopeless) and not isinstance(error, ServerBusyError)


def _flattened(errors: BaseExceptionGroup[PanEchoError]) -> list[PanEchoError]:
    return [
        found
        for error in errors.exceptions
        for found in (_flattened(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


async def _finished(work: Coroutine[Any, Any, None]) -> None:
    """Await work to its end, even if the caller is interrupted meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _report(task: asyncio.Task[StudyOutcome], on_outcome: Callable[[StudyOutcome], None]) -> None:
    if not task.cancelled() and task.exception() is None:
        on_outcome(task.result())
