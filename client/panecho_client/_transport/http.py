"""Requests over HTTP, with binary tensors."""

import asyncio
import ssl
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import aiohttp
from numpy.typing import NDArray
from tritonclient.http import InferInput, InferRequestedOutput
from tritonclient.http.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from panecho_client._connection import Connection, Tls
from panecho_client._contract import ENSEMBLE, Parameters, Tensors
from panecho_client._exceptions import RequestError
from panecho_client._transport.base import CLOSED, named_arrays
from panecho_client._transport.errors import Translation, late, not_loaded, translated, unavailable

T = TypeVar("T")


class HttpTransport:
    """See ``Transport``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client: InferenceServerClient | None = None
        self._closed = False

    async def get_config(self) -> dict[str, str]:
        """See ``Transport``."""
        client = self._open()
        config = await self._answer(
            client.get_model_config(ENSEMBLE, headers=self._headers()), ENSEMBLE, self._connection.connect_timeout
        )
        return {name: parameter["string_value"] for name, parameter in config.get("parameters", {}).items()}

    async def infer(
        self, model: str, inputs: Tensors, outputs: Sequence[str], parameters: Parameters
    ) -> dict[str, NDArray[Any]]:
        """See ``Transport``."""
        call = self._open().infer(
            model,
            [_input(name, array) for name, array in inputs.items()],
            outputs=[InferRequestedOutput(name, binary_data=True) for name in outputs],
            headers=self._headers(),
            parameters=dict(parameters),
        )
        result = await self._answer(call, model, self._connection.timeout)
        return named_arrays(result, outputs)

    async def is_ready(self, model: str) -> bool:
        """See ``Transport``."""
        asked = self._open().is_model_ready(model, headers=self._headers())
        return bool(await self._answer(asked, model, self._connection.connect_timeout))

    async def load(self, model: str) -> None:
        """See ``Transport``."""
        call = self._open().load_model(model, headers=self._headers())
        await self._answer(call, model, self._connection.timeout, not_loaded)

    async def close(self) -> None:
        """See ``Transport``."""
        client, self._client, self._closed = self._client, None, True
        if client is not None:
            await client.close()

    async def _answer(self, call: Awaitable[T], model: str, seconds: float, translation: Translation = translated) -> T:
        url = self._connection.url
        try:
            async with asyncio.timeout(seconds):
                return await call
        except TimeoutError:
            raise late(url, seconds) from None
        except InferenceServerException as error:
            raise translation(error, url, model, seconds) from None
        except aiohttp.ClientError as error:
            raise unavailable(url, model, str(error) or type(error).__name__) from None

    def _open(self) -> InferenceServerClient:
        """Return the client, made with the first call: it belongs to the event loop that runs then."""
        if self._closed:
            raise RequestError(CLOSED)
        if self._client is None:
            scheme, _, address = self._connection.url.partition("://")
            self._client = InferenceServerClient(
                address.rstrip("/"),
                conn_timeout=self._connection.timeout,
                ssl=scheme == "https",
                ssl_context=_ssl_context(self._connection.tls) if scheme == "https" else None,
            )
        return self._client

    def _headers(self) -> dict[str, str]:
        return dict(self._connection.headers)


def _ssl_context(tls: Tls | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.root_certificates if tls else None)
    if tls and tls.private_key and tls.certificate:
        context.load_cert_chain(tls.certificate, tls.private_key)
    return context


def _input(name: str, array: NDArray[Any]) -> InferInput:
    tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return tensor.set_data_from_numpy(array, binary_data=True)
