"""The client, without asyncio: every call runs on an event loop in a separate thread."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panecho_client._async_client import AsyncPanEcho
from panecho_client._clip_options import ClipOptions, OnError
from panecho_client._connection import DEFAULT_CONCURRENCY, DEFAULT_URL, Connection
from panecho_client._description import Task, Weights
from panecho_client._exceptions import RequestError
from panecho_client._files.found_files import StrPath
from panecho_client._process import OwnProcess, require_real_threads
from panecho_client._requests import Batching
from panecho_client._results import StudyResult
from panecho_client._sender import OnProgress, ignore_progress
from panecho_client._transport.base import CLOSED, Transport

T = TypeVar("T")
Call: TypeAlias = Callable[[], Coroutine[Any, Any, T]]


class PanEcho:
    """A PanEcho server. One client can be used from several threads.

    Args:
        connection: How to reach the server; an address alone is ``Connection(url=…)``.
        concurrency: Requests in progress at a time, of all calls together.
        transport: What answers instead of the server; see ``panecho_local``.

    Example:
        >>> with PanEcho("localhost:8001") as panecho:
        ...     study = panecho.predict_study(["study/"], tasks=["EF", "AVStenosis"])
        >>> study["EF"].value
        58.3

    Raises:
        RequestError: The address or another setting makes no sense.
    """

    def __init__(
        self,
        connection: Connection | str = DEFAULT_URL,
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        transport: Transport | None = None,
    ) -> None:
        self._client = AsyncPanEcho(connection, concurrency=concurrency, transport=transport)
        self._loop = _Loop()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks in released order, as the server last described them."""
        return self._loop.run(self._client.tasks)

    @property
    def weights(self) -> Weights:
        """Whose weights the server runs, as it last described them."""
        return self._loop.run(self._client.weights)

    def predict_study(  # noqa: PLR0913 - one argument per choice of a caller
        self,
        paths: StrPath | Iterable[StrPath],
        *,
        tasks: str | Iterable[str] | None = None,
        clip_options: ClipOptions | None = None,
        on_error: OnError = "skip",
        embedding: bool = True,
        key_frames: bool = False,
        batching: Batching = "auto",
        on_progress: OnProgress = ignore_progress,
    ) -> StudyResult:
        """Predict the tasks of one study from all its files together; see ``AsyncPanEcho.predict_study``."""
        return self._loop.run(
            lambda: self._client.predict_study(
                paths,
                tasks=tasks,
                clip_options=clip_options,
                on_error=on_error,
                embedding=embedding,
                key_frames=key_frames,
                batching=batching,
                on_progress=on_progress,
            )
        )

    def embed(
        self,
        paths: StrPath | Iterable[StrPath],
        *,
        clip_options: ClipOptions | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> dict[Path, NDArray[np.float32] | str]:
        """Return the embedding of each video, FP32 [768]; see ``AsyncPanEcho.embed``."""
        return self._loop.run(lambda: self._client.embed(paths, clip_options=clip_options, on_progress=on_progress))

    def predict_clips(self, clips: ArrayLike, *, tasks: str | Iterable[str] | None = None) -> StudyResult:
        """Predict from clips of one video that the caller has made; see ``AsyncPanEcho.predict_clips``."""
        return self._loop.run(lambda: self._client.predict_clips(clips, tasks=tasks))

    def embed_frames(self, frames: ArrayLike) -> NDArray[np.float32]:
        """Return the image encoder's features of single frames, FP32 [N, 768]; see ``AsyncPanEcho.embed_frames``."""
        return self._loop.run(lambda: self._client.embed_frames(frames))

    def key_frames(
        self, paths: StrPath | Iterable[StrPath], *, clip_options: ClipOptions | None = None
    ) -> dict[Path, NDArray[np.uint8]]:
        """Return the middle frame of each video, UINT8 [224, 224, 3]; see ``AsyncPanEcho.key_frames``."""
        return self._loop.run(lambda: self._client.key_frames(paths, clip_options=clip_options))

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        if not self._loop.closed:
            self._loop.close(self._client.close)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()


class _Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        require_real_threads()
        self._own = OwnProcess()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="panecho-client", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        return self._loop.is_closed()

    def run(self, call: Call[T]) -> T:
        """Run a call to its end; an interrupt of the caller, such as Ctrl-C, cancels it."""
        if self.closed:
            raise RequestError(CLOSED)
        self._own.require()
        answer: Future[T] = Future()
        self._loop.call_soon_threadsafe(self._start, call, answer)
        try:
            return answer.result()
        except BaseException:
            answer.cancel()
            raise

    def close(self, last: Call[None]) -> None:
        """Cancel calls that an interrupted caller has left running, run ``last``, and end the thread."""
        if not self._own.is_this:  # a fork has no such thread, and its parent still uses the connection
            return
        self.run(lambda: _alone(last))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _start(self, call: Call[T], answer: Future[T]) -> None:
        """Start a call in the loop's thread: no interrupt comes there between making a coroutine and starting it."""
        task = self._loop.create_task(call())
        task.add_done_callback(lambda done: _hand_over(done, answer))
        answer.add_done_callback(lambda _: self._loop.call_soon_threadsafe(task.cancel))


def _hand_over(task: asyncio.Task[T], answer: Future[T]) -> None:
    error = RequestError(CLOSED) if task.cancelled() else task.exception()
    with suppress(InvalidStateError):  # nobody waits any longer
        if error is None:
            answer.set_result(task.result())
        else:
            answer.set_exception(error)


async def _alone(last: Call[None]) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await last()
