"""A run over many studies: predicts and writes them one by one; a study that fails does not harm the others."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panecho_client._archive.output_folder import OutputFolder
from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._archive.progress import StudyOutcome
from panecho_client._archive.study_source import StudySource
from panecho_client._async_client import AsyncPanEcho
from panecho_client._exceptions import (
    IncompatibleServerError,
    PanEchoError,
    ServerBusyError,
    ServerUnavailableError,
    UnknownTaskError,
)
from panecho_client._results import StudyResult

if TYPE_CHECKING:
    from panecho_client._identity.headers import SopInstance

# Errors that every remaining study would meet too.
HOPELESS = (ServerUnavailableError, IncompatibleServerError, UnknownTaskError)


@dataclass(frozen=True, kw_only=True)
class ArchiveRun:
    """What is done with every study.

    Attributes:
        panecho: The server.
        folder: Where results go.
        request: What to predict.
        studies_at_a_time: Studies in progress at a time; their requests share the client's ``concurrency``.
    """

    panecho: AsyncPanEcho
    folder: OutputFolder
    request: PredictionRequest
    studies_at_a_time: int

    async def predict(self, sources: Iterable[StudySource], on_outcome: Callable[[StudyOutcome], None]) -> None:
        """Predict every study that the folder lacks. However this ends, the folder's tables hold what was written.

        Raises:
            PanEchoError: The server is gone for good, or the folder cannot be written.
        """
        room = asyncio.Semaphore(self.studies_at_a_time)
        try:
            async with asyncio.TaskGroup() as group:
                for source in sources:
                    await room.acquire()
                    # One at a time: names depend on the order.
                    name = self.folder.claim(await asyncio.to_thread(self._name, source))
                    task = group.create_task(self._outcome(source, name))
                    task.add_done_callback(lambda task: _report(task, on_outcome))
                    task.add_done_callback(lambda _: room.release())
        except* PanEchoError as errors:
            raise errors.exceptions[0] from None
        finally:
            self.folder.finish()

    def _name(self, source: StudySource) -> str:
        return source.name(include_identifiers=self.folder.include_identifiers, pseudonym_key=self.folder.pseudonym_key)

    async def _outcome(self, source: StudySource, name: str) -> StudyOutcome:
        if self.folder.has(name):
            return "kept"
        headers: Sequence[SopInstance] = ()
        try:
            with source.opened() as fetch:
                headers = await asyncio.to_thread(lambda: fetch().headers)
                study = await self._predict([header.path for header in headers])
                write = partial(self.folder.write, name, study, headers=headers, key_frames=self._key_frames)
                await _finished(asyncio.to_thread(write))
        except PanEchoError as error:
            if isinstance(error, HOPELESS) and not isinstance(error, ServerBusyError):
                raise
            self.folder.fail(name, headers, error)
            return "failed"
        return "done"

    @property
    def _key_frames(self) -> bool:
        return self.folder.html and self.request.key_frames

    async def _predict(self, files: Sequence[Path]) -> StudyResult:
        request = self.request
        return await self.panecho.predict_study(
            files,
            tasks=request.tasks,
            clip_options=request.clip_options,
            on_error=request.on_error,
            embedding=False,
            key_frames=self._key_frames,
        )


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
