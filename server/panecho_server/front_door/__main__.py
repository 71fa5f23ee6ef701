"""Runs the front door until its standard input ends: its parent holds the other end, also when it is killed."""

import asyncio
import contextlib
import json
import resource
import signal
import sys

from aiohttp import web

from panecho_server.errors import PortError
from panecho_server.front_door.grpc_door import open_channel, start_grpc
from panecho_server.front_door.http_door import HttpDoor
from panecho_server.front_door.settings import DoorSettings, PortChoice, Ports
from panecho_server.front_door.text_outputs import TextOutputs
from panecho_server.ports import listen

STOP_SECONDS = 1.0


def main() -> None:
    """Serve; print the ports, or what is wrong, as one line of JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the parent, which stops this process last
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each caller takes a socket here
    asyncio.run(serve(DoorSettings.from_json(sys.argv[1])))


async def serve(settings: DoorSettings) -> None:
    """Listen on all ports, say which, and pass requests on until standard input ends."""
    async with contextlib.AsyncExitStack() as opened:
        channel = open_channel(settings)
        opened.push_async_callback(channel.close)
        texts = TextOutputs(channel)
        try:
            http = await _start_http(HttpDoor(settings.http_socket, texts), settings.http_host, settings.http, opened)
            server, grpc = start_grpc(settings, channel)
            metrics = 0
            if settings.metrics is not None:
                door = HttpDoor(settings.metrics_socket, None)
                metrics = await _start_http(door, settings.host, settings.metrics, opened)
        except PortError as error:
            _say({"error": str(error)})
            return
        await server.start()
        opened.push_async_callback(server.stop, STOP_SECONDS)
        _say(Ports(grpc, http, metrics)._asdict())
        await _end_of_input()


async def _start_http(door: HttpDoor, host: str, port: PortChoice, opened: contextlib.AsyncExitStack) -> int:
    listener = listen(host, port.candidates())
    runner = web.AppRunner(
        door.application(), access_log=None, handler_cancellation=True, shutdown_timeout=STOP_SECONDS
    )
    await runner.setup()
    opened.push_async_callback(runner.cleanup)
    await web.SockSite(runner, listener).start()
    return int(listener.getsockname()[1])


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def _end_of_input() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


if __name__ == "__main__":
    main()
