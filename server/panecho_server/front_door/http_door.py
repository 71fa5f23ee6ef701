"""The HTTP half of the front door: passes every request on with its length, and looks at bodies that are JSON."""

import re
from typing import Any

import aiohttp
import grpc
from aiohttp import web
from yarl import URL

from panecho_server.front_door.classification import in_http_header
from panecho_server.front_door.text_outputs import RefusedError, TextOutputs

MODEL_PATH = re.compile(r"/v2/models/([^/?]+)(?:/versions/([^/?]+))?/")
JSON_LENGTH = "Inference-Header-Content-Length"
"""Header with the length of a body's JSON; binary tensors come after it."""

MAX_BODY = 2**31 - 1
"""Bytes; as over gRPC."""

NOT_PASSED_ON = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"),
        *("content-length", "content-encoding", "host"),
    }
)
"""Headers of one connection (RFC 9110, 7.6.1), and those of the body, which is passed on unpacked and in one piece."""

HTTP_STATUS = {grpc.StatusCode.INVALID_ARGUMENT: 400, grpc.StatusCode.NOT_FOUND: 404}


class HttpDoor:
    """Passes requests on to one of ``tritonserver``'s HTTP services.

    Args:
        socket: Its Unix socket.
        texts: Refuses what would crash it; None for the metrics, which take no requests.
    """

    def __init__(self, socket: str, texts: TextOutputs | None) -> None:
        self._texts = texts
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(
                socket, limit=0, force_close=True
            ),  # tritonserver waits for open ones to stop
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),  # the caller's go on
        )

    def application(self) -> web.Application:
        """Return what answers requests."""
        application = web.Application(client_max_size=MAX_BODY)
        application.router.add_route("*", "/{path:.*}", self._forward)
        application.on_cleanup.append(self._close)
        return application

    async def _close(self, _application: web.Application) -> None:
        await self._session.close()

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _error(413, f"the body is larger than {MAX_BODY} bytes; send fewer files at a time")
        try:
            await self._check(request, body)
            return await self._pass_on(request, body)
        except RefusedError as error:
            return _error(HTTP_STATUS.get(error.code, 503), error.details)
        except aiohttp.ClientError:
            return _error(503, "the inference server does not answer: it starts again; send the request later")

    async def _check(self, request: web.Request, body: bytes) -> None:
        """Refuse a request that would crash the server, or that it would read in another way than we do.

        Raises:
            RefusedError: It is one.
        """
        if self._texts is None or not body:
            return
        lengths = request.headers.getall(JSON_LENGTH, [str(len(body))])
        if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,10}", lengths[0]) or int(lengths[0]) > len(body):
            raise RefusedError(
                grpc.StatusCode.INVALID_ARGUMENT, f"{JSON_LENGTH} must be one number of at most {len(body)} bytes"
            )
        model = MODEL_PATH.match(request.raw_path)
        name, version = (model[1], model[2] or "") if model else ("", "")
        try:
            asked = in_http_header(body[: int(lengths[0])], name, version)
        except (ValueError, RecursionError) as error:
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, f"failed to parse the request JSON: {error}") from None
        await self._texts.check(asked)

    async def _pass_on(self, request: web.Request, body: bytes) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in NOT_PASSED_ON]
        target = URL(f"http://tritonserver{request.raw_path}", encoded=True)
        async with self._session.request(request.method, target, headers=headers, data=body or None) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            for name, value in answer.headers.items():
                if name.lower() not in NOT_PASSED_ON or name.lower() in ("content-length", "content-encoding"):
                    response.headers.add(name, value)
            await response.prepare(request)
            async for part, _ in answer.content.iter_chunks():
                await response.write(part)
            await response.write_eof()
            return response


def _error(status: int, text: str) -> web.Response:
    """Return an error in the form of Triton's."""
    content: dict[str, Any] = {"error": text}
    return web.json_response(content, status=status)
