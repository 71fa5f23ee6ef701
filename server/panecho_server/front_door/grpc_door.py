"""The gRPC half of the front door: passes every call on, and looks at requests for inference."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from panecho_server.errors import PortError
from panecho_server.front_door.classification import in_grpc_message
from panecho_server.front_door.settings import DoorSettings
from panecho_server.front_door.text_outputs import SERVICE, RefusedError, TextOutputs
from panecho_server.ports import bracketed, listen

INFER = f"{SERVICE}ModelInfer"
STREAM_INFER = f"{SERVICE}ModelStreamInfer"

NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
RECONNECT = [(f"grpc.{name}_reconnect_backoff_ms", 200) for name in ("initial", "min", "max")]
"""The server is back some seconds after it died; gRPC's own pauses grow to two minutes."""

ALONE = [("grpc.so_reuseport", 0)]
"""Two servers must not share a port."""

CONNECT_SECONDS = 1.0
"""How long a call waits for a connection to the server, which may have come back this moment."""

NOT_CONNECTED = "failed to connect to tritonserver behind the front door: it starts again, or has stopped"

OWN_METADATA = ("user-agent", "content-type", "te")
"""Headers that gRPC adds to each call itself."""


def open_channel(settings: DoorSettings) -> grpc.aio.Channel:
    """Return a channel to ``tritonserver``."""
    return grpc.aio.insecure_channel(f"unix:{settings.grpc_socket}", options=[*NO_LIMIT, *RECONNECT])


def start_grpc(settings: DoorSettings, channel: grpc.aio.Channel) -> tuple[grpc.aio.Server, int]:
    """Return a server that holds its port and is not started yet, and the port.

    Raises:
        PortError: No port that may be used is free.
    """
    server = grpc.aio.server(options=[*NO_LIMIT, *ALONE])
    server.add_generic_rpc_handlers((Forwarding(channel),))
    credentials = _credentials(settings)
    for candidate in settings.grpc.candidates():
        try:
            with listen(settings.host, (candidate,)) as found:
                address = f"{bracketed(settings.host)}:{found.getsockname()[1]}"
            if credentials is None:
                return server, server.add_insecure_port(address)
            return server, server.add_secure_port(address, credentials)
        except (PortError, RuntimeError):
            if settings.grpc.asked is not None:
                raise
    raise PortError(f"no port from {settings.grpc.default} on is free on {settings.host}; give one with --grpc-port.")


def _credentials(settings: DoorSettings) -> grpc.ServerCredentials | None:
    if not settings.tls_certificate:
        return None
    pair = (Path(settings.tls_key).read_bytes(), Path(settings.tls_certificate).read_bytes())
    authority = Path(settings.tls_client_ca).read_bytes() if settings.tls_client_ca else None
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)


class Forwarding(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    """Handles every method by passing it on, as bytes."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._texts = TextOutputs(channel)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Return the handler of a method."""
        if details.method == STREAM_INFER:
            return grpc.stream_stream_rpc_method_handler(self._stream(details.method))
        return grpc.unary_unary_rpc_method_handler(self._single(details.method))

    def _single(self, method: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def forward(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            try:
                await self._wait_for_connection()
                if method == INFER:
                    await self._check(request)
                call = self._channel.unary_unary(method)(request, **_options(context))
                answer: bytes = await call
            except RefusedError as error:
                await context.abort(error.code, error.details)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), _details(error), tuple(error.trailing_metadata() or ()))
            context.set_trailing_metadata(tuple(await call.trailing_metadata() or ()))
            return answer

        return forward

    def _stream(self, method: str) -> Callable[[Any, Any], AsyncIterator[bytes]]:
        async def forward(
            requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
        ) -> AsyncIterator[bytes]:
            await self._wait_for_connection()
            call = self._channel.stream_stream(method)(**_options(context))
            sending = asyncio.ensure_future(self._send(requests, call))
            try:
                async for answer in call:
                    yield answer
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), _details(error), tuple(error.trailing_metadata() or ()))
            except asyncio.CancelledError:  # by ``_send``, or because the caller has gone
                refusal = sending.exception() if sending.done() and not sending.cancelled() else None
                if not isinstance(refusal, RefusedError):
                    raise
                await context.abort(refusal.code, refusal.details)
            finally:
                sending.cancel()

        return forward

    async def _send(self, requests: AsyncIterator[bytes], call: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
        try:
            async for request in requests:
                await self._check(request)
                await call.write(request)
            await call.done_writing()
        except RefusedError:
            call.cancel()
            raise

    async def _wait_for_connection(self) -> None:
        if self._channel.get_state(try_to_connect=True) != grpc.ChannelConnectivity.READY:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._channel.channel_ready(), CONNECT_SECONDS)

    async def _check(self, request: bytes) -> None:
        try:
            asked = in_grpc_message(request)
        except ValueError as error:
            raise RefusedError(
                grpc.StatusCode.INVALID_ARGUMENT, f"the request is not a ModelInferRequest: {error}"
            ) from None
        await self._texts.check(asked)


def _details(error: grpc.aio.AioRpcError) -> str:
    """Return what Triton said, and nothing of the sockets between it and us."""
    details = error.details() or ""
    return NOT_CONNECTED if "unix:" in details else details


def _options(context: Any) -> dict[str, Any]:  # noqa: ANN401 - grpc's contexts have different types by version
    metadata = [(name, value) for name, value in context.invocation_metadata() or () if name not in OWN_METADATA]
    return {"metadata": metadata, "timeout": context.time_remaining()}
