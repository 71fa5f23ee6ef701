"""Requests over gRPC."""

import json
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray
from tritonclient.grpc import InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from panecho_client._connection import Connection
from panecho_client._contract import ENSEMBLE, MAX_MESSAGE_BYTES, Parameters, Tensors
from panecho_client._exceptions import RequestError
from panecho_client._process import require_grpc_of_this_process
from panecho_client._transport.base import CLOSED, named_arrays
from panecho_client._transport.errors import Translation, not_loaded, translated
from panecho_client._transport.shared_memory import FORGOTTEN, SharedMemoryPool, plain_input

T = TypeVar("T")

# A connection that a firewall has dropped silently is noticed after a ping; servers forbid pinging more often.
RECONNECT_MILLISECONDS = 2_000  # gRPC's own is two minutes: too long for a server that was started again
KEEPALIVE_MILLISECONDS = 60_000


class GrpcTransport:
    """See ``Transport``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._headers = call_headers(connection)
        self._client: InferenceServerClient | None = None
        self._pool: SharedMemoryPool | None = None
        self._closed = False

    async def get_config(self) -> dict[str, str]:
        """See ``Transport``."""
        seconds = self._connection.connect_timeout
        call = self._open().get_model_config(ENSEMBLE, headers=self._headers, client_timeout=seconds)
        response = await self._answer(call, ENSEMBLE, seconds)
        return {name: parameter.string_value for name, parameter in response.config.parameters.items()}

    async def infer(
        self, model: str, inputs: Tensors, outputs: Sequence[str], parameters: Parameters
    ) -> dict[str, NDArray[Any]]:
        """See ``Transport``."""
        seconds = self._connection.timeout
        options = {
            "outputs": [InferRequestedOutput(name) for name in outputs],
            "headers": self._headers,
            "parameters": dict(parameters),
            "client_timeout": seconds,
        }
        result = await self._answer(self._infer(model, inputs, options), model, seconds)
        return named_arrays(result, outputs)

    async def is_ready(self, model: str) -> bool:
        """See ``Transport``."""
        seconds = self._connection.connect_timeout
        call = self._open().is_model_ready(model, headers=self._headers, client_timeout=seconds)
        return bool(await self._answer(call, model, seconds))

    async def load(self, model: str) -> None:
        """See ``Transport``."""
        seconds = self._connection.timeout
        call = self._open().load_model(model, headers=self._headers, client_timeout=seconds)
        await self._answer(call, model, seconds, not_loaded)

    async def close(self) -> None:
        """See ``Transport``."""
        client, self._client, self._closed = self._client, None, True
        if self._pool is not None:
            await self._pool.clear()
        if client is not None:
            await client.close()

    async def _answer(self, call: Awaitable[T], model: str, seconds: float, translation: Translation = translated) -> T:
        try:
            return await call
        except InferenceServerException as error:
            raise translation(error, self._connection.url, model, seconds) from None

    async def _infer(self, model: str, inputs: Tensors, options: dict[str, Any]) -> InferResult:
        client = self._open()
        if self._pool is None:
            return await client.infer(model, [plain_input(name, array) for name, array in inputs.items()], **options)
        try:
            async with self._pool.inputs(inputs) as placed:
                return await client.infer(model, placed, **options)
        except InferenceServerException as error:
            if FORGOTTEN not in str(error.message()):
                raise
        await self._pool.clear()
        async with self._pool.inputs(inputs) as placed:
            return await client.infer(model, placed, **options)

    def _open(self) -> InferenceServerClient:
        """Return the client, made with the first call: it belongs to the event loop that runs then."""
        if self._closed:
            raise RequestError(CLOSED)
        if self._client is None:
            require_grpc_of_this_process()
            self._client = InferenceServerClient(self._connection.url, **client_options(self._connection))
            if self._connection.shared_memory:
                self._pool = SharedMemoryPool(self._client, self._connection.url, self._headers)
        return self._client


def call_headers(connection: Connection) -> dict[str, str]:
    """Return the headers of every call, as gRPC demands them."""
    return {name.lower(): value for name, value in connection.headers.items()}


def client_options(connection: Connection) -> dict[str, Any]:
    """Return what both of tritonclient's gRPC clients are made with: encryption, and gRPC's options."""
    tls = connection.tls
    return {
        "ssl": tls is not None,
        "root_certificates": tls and tls.root_certificates,
        "private_key": tls and tls.private_key,
        "certificate_chain": tls and tls.certificate,
        "channel_args": channel_args(connection.url),
    }


def channel_args(url: str) -> list[tuple[str, int | str]]:
    """Return gRPC's options: large messages, keep-alive, several servers in turn, and no proxy to this machine."""
    local = url.startswith(("localhost:", "127.", "[::1]:"))
    sizes: list[tuple[str, int | str]] = [
        (f"grpc.max_{way}_message_length", MAX_MESSAGE_BYTES) for way in ("send", "receive")
    ]
    return [
        *sizes,
        ("grpc.use_local_subchannel_pool", 1),  # a new client does not inherit another's failure to connect
        ("grpc.max_reconnect_backoff_ms", RECONNECT_MILLISECONDS),
        ("grpc.keepalive_time_ms", KEEPALIVE_MILLISECONDS),
        ("grpc.enable_http_proxy", 0 if local else 1),
        ("grpc.enable_retries", 0),  # ours know what may be sent again, and are not limited by a buffer
        ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    ]
