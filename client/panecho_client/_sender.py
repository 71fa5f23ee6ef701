"""Sends requests to a server: a few at a time, and again while the server is not there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from panecho_client._connection import Connection
from panecho_client._contract import ON_ERROR, VIDEO_BYTES, VIDEO_SIZES, VIDEO_STATUS, Parameters, Tensors
from panecho_client._description import VERSION, Description, parse_description
from panecho_client._exceptions import (
    IncompatibleServerError,
    PanEchoError,
    RequestError,
    ServerBusyError,
    ServerUnavailableError,
)
from panecho_client._files.file_bytes import Faults, read_files, unreadable_status
from panecho_client._process import OwnProcess
from panecho_client._requests import (
    VideoAnswer,
    nothing_usable,
    refused_status,
    skipped_video,
    stating,
    video_answer,
    with_statuses,
)
from panecho_client._transport import open_transport
from panecho_client._transport.base import Transport

T = TypeVar("T")
Item = TypeVar("Item")
LOGGER = logging.getLogger(__name__)

# What Triton answers to a request for an output that a model does not have.
UNKNOWN_OUTPUT = "unexpected inference output"

OnProgress = Callable[[int, int], None]


def ignore_progress(_done: int, _of: int) -> None:
    """Do nothing."""


class Sender:
    """Sends every request of a client.

    Args:
        connection: How to reach the server.
        concurrency: Requests in progress at a time, of all calls together.
        transport: Used instead of one that the connection opens.
    """

    def __init__(self, connection: Connection, concurrency: int, transport: Transport | None = None) -> None:
        if concurrency < 1:
            raise RequestError(f"concurrency is {concurrency}; it must be 1 or more.")
        self._retry = connection.retry
        self._transport = transport or open_transport(connection)
        self._room = asyncio.Semaphore(concurrency)
        self._description: Description | None = None
        self._own = OwnProcess()

    async def known(self) -> Description:
        """Return the server's last description; ask for it the first time."""
        return self._description or await self.describe()

    async def describe(self) -> Description:
        """Ask the server to describe itself.

        Retries if the server has answered before or is busy; otherwise fails at once.
        """
        self._own.require()
        ask = self._transport.get_config
        if self._description is None:
            with suppress(ServerBusyError):
                self._description = parse_description(await ask())
                return self._description
        self._description = parse_description(await self._patiently(ask))
        return self._description

    async def infer(
        self, model: str, inputs: Tensors, outputs: Sequence[str], parameters: Parameters | None = None
    ) -> dict[str, NDArray[Any]]:
        """Run a model and return the outputs requested.

        Raises:
            IncompatibleServerError: The server does not have one of them.
            PanEchoError: Otherwise as ``Transport.infer``.
        """
        try:
            answer = await self._patiently(lambda: self._transport.infer(model, inputs, outputs, parameters or {}))
        except RequestError as error:
            if UNKNOWN_OUTPUT in error.message:
                raise _without_output(error.message) from None
            raise
        for name in outputs:
            if name not in answer:
                raise _without_output(f"no {name!r} in the answer")
        return answer

    async def infer_files(
        self, model: str, files: Sequence[Path], outputs: Sequence[str], parameters: Parameters, *, skip: bool
    ) -> dict[str, NDArray[Any]]:
        """Read files, run a model on them together and return its outputs.

        Args:
            model: Name of the model.
            files: The files.
            outputs: Names of the outputs to return.
            parameters: Of the request.
            skip: Whether a file that cannot be read is sent as one of 0 bytes and gets a status that says so.
        """
        faults: Faults | None = {} if skip else None
        video_bytes, video_sizes = await asyncio.to_thread(read_files, files, faults)
        statuses = {index: unreadable_status(error) for index, error in (faults or {}).items()}
        inputs: dict[str, NDArray[Any]] = {VIDEO_BYTES: video_bytes, VIDEO_SIZES: video_sizes}
        with stating(statuses):
            if len(statuses) == len(files):
                raise nothing_usable(statuses.values())
            answer = await self.infer(model, inputs, outputs, parameters)
        return with_statuses(answer, statuses)

    async def each_file(
        self,
        model: str,
        files: Sequence[Path],
        outputs: Sequence[str],
        parameters: Parameters,
        on_progress: OnProgress = ignore_progress,
    ) -> list[VideoAnswer]:
        """Run a model on each file separately; ``video_status`` is requested as well."""
        await self.known()  # where no server has ever answered, this fails at once
        skip = parameters.get(ON_ERROR) != "fail"
        single = {**parameters, ON_ERROR: "skip"}
        done = 0

        async def send(file: Path) -> VideoAnswer:
            nonlocal done
            try:
                found = await self.infer_files(model, [file], [*outputs, VIDEO_STATUS], single, skip=skip)
                answer = video_answer(found)
            except RequestError as error:
                status = refused_status(error)
                if status is None:
                    raise error.naming([file]) from None
                answer = skipped_video(status)
            done += 1
            on_progress(done, len(files))
            return answer

        return await self.each(send, files)

    async def require(self, model: str) -> None:
        """Load a model that is loaded on demand, unless it is ready; errors as ``Transport.load``."""
        if not await self._transport.is_ready(model):
            await self._transport.load(model)

    async def each(self, function: Callable[[Item], Awaitable[T]], items: Iterable[Item]) -> list[T]:
        """Await the function of every item, a few at a time.

        After an error no more are started, and the error is raised once those in progress are done: cancelling them
        would waste the work that the server has started.
        """
        errors: list[PanEchoError] = []

        async def run(item: Item) -> T | None:
            async with self._room:
                if errors:
                    return None
                try:
                    return await function(item)
                except PanEchoError as error:
                    errors.append(error)
                    return None

        results = await asyncio.gather(*map(run, items))
        if errors:
            raise errors[0]
        return [result for result in results if result is not None]

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Await the call; repeat it while the server is not there, as ``Retry`` says."""
        self._own.require()
        retry = self._retry
        tries = AsyncRetrying(
            retry=retry_if_exception_type(ServerUnavailableError),
            stop=lambda state: state.idle_for >= retry.seconds,
            wait=wait_exponential_jitter(multiplier=retry.first_wait, max=retry.longest_wait, jitter=retry.first_wait),
            before_sleep=_log_first,
            reraise=True,
        )
        async for attempt in tries:
            with attempt:
                return await call()
        raise AssertionError("the last attempt raises")


def _without_output(found: str) -> IncompatibleServerError:
    return IncompatibleServerError(f"the server lacks an output ({found}); use a server of version {VERSION}.")


def _log_first(state: RetryCallState) -> None:
    """Log the first retry. The error names the server and nothing that was sent."""
    if state.attempt_number == 1 and state.outcome is not None:
        LOGGER.warning("%s Retrying for a while.", state.outcome.exception())
