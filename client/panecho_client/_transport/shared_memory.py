"""Tensors through the memory of a machine that client and server share: a large one crosses no socket.

Regions are registered once and used again, because Triton keeps hold of one for a while after its answer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from panecho_client._contract import Tensors
from panecho_client._exceptions import RequestError, ServerUnavailableError
from panecho_client._transport.errors import translated

# Smaller tensors are sent as they are.
SMALLEST = 1 << 16
GRANULE = 1 << 20
SECONDS = 5.0

# How the server says that it has been restarted since a region was registered.
FORGOTTEN = "Unable to find shared memory region"

# Triton lets go of a region some time after its answer.
IN_USE = "currently in use"
RELEASE_TRIES = 20
RELEASE_SECONDS = 0.05


class SharedMemoryPool:
    """Regions of one client.

    Args:
        client: Of the server.
        url: Its address, for errors.
        headers: Sent with each request.
    """

    def __init__(self, client: InferenceServerClient, url: str, headers: dict[str, str]) -> None:
        self._client = client
        self._url = url
        self._options = {"headers": headers, "client_timeout": SECONDS}
        self._idle: list[SharedMemory] = []

    @asynccontextmanager
    async def inputs(self, tensors: Tensors) -> AsyncIterator[list[InferInput]]:
        """Return Triton's inputs; those in shared memory are there until the end of the context.

        Raises:
            RequestError: The server refuses shared memory, or is not on this machine.
            ServerUnavailableError: It does not answer.
        """
        large = [name for name, array in tensors.items() if array.dtype != np.object_ and array.nbytes >= SMALLEST]
        if not large:
            yield [plain_input(name, array) for name, array in tensors.items()]
            return
        region = await self._taken(sum(tensors[name].nbytes for name in large))
        answered = False
        try:
            yield _placed(tensors, large, region)
            answered = True
        except InferenceServerException as error:
            answered = "INVALID_ARGUMENT" in str(error.status()) and FORGOTTEN not in str(error.message())
            raise
        finally:
            if answered:
                self._idle.append(region)
            else:  # the server may still be reading it, or have forgotten it
                await self._drop(region)

    async def clear(self) -> None:
        """Give all regions back."""
        while self._idle:
            await self._drop(self._idle.pop())

    async def _taken(self, size: int) -> SharedMemory:
        """Return a registered region of at least ``size`` bytes; there are as many as requests in progress."""
        for region in sorted(self._idle, key=lambda region: region.size):
            if region.size >= size:
                self._idle.remove(region)
                return region
        if self._idle:
            await self._drop(self._idle.pop())
        region = SharedMemory(create=True, size=-(-size // GRANULE) * GRANULE)
        try:
            await self._client.register_system_shared_memory(
                region.name, f"/{region.name}", region.size, **self._options
            )
        except InferenceServerException as error:
            _remove(region)
            raise self._refused(error) from None
        return region

    async def _drop(self, region: SharedMemory) -> None:
        for _ in range(RELEASE_TRIES):
            try:
                await self._client.unregister_system_shared_memory(region.name, **self._options)
            except InferenceServerException as error:
                if IN_USE in str(error.message()):
                    await asyncio.sleep(RELEASE_SECONDS)
                    continue
            break  # done; or it is forgotten, or nobody is there
        _remove(region)

    def _refused(self, error: InferenceServerException) -> Exception:
        found = translated(error, self._url, "shared memory", SECONDS)
        if isinstance(found, ServerUnavailableError):
            return found
        return RequestError(
            f"shared_memory: {self._url} does not take it ({error.message()}); the server must be on this machine and "
            "allow it. Turn it off otherwise.",
            code=found.code,
        )


def plain_input(name: str, array: NDArray[Any]) -> InferInput:
    """Return an input whose content is sent with the request."""
    return _described(name, array).set_data_from_numpy(array)


def _described(name: str, array: NDArray[Any]) -> InferInput:
    return InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))


def _placed(tensors: Tensors, large: list[str], region: SharedMemory) -> list[InferInput]:
    inputs, offset = [], 0
    for name, array in tensors.items():
        if name not in large:
            inputs.append(plain_input(name, array))
            continue
        np.ndarray(array.shape, array.dtype, region.buf, offset)[:] = array
        inputs.append(_described(name, array).set_shared_memory(region.name, array.nbytes, offset))
        offset += array.nbytes
    return inputs


def _remove(region: SharedMemory) -> None:
    region.close()
    region.unlink()
