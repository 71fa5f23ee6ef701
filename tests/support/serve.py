"""Servers that tests start: `panecho serve` as a user runs it, in a separate process, and `TritonServer`."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from panecho_server import ServerSettings, TritonServer

PANECHO = Path(sys.executable).with_name("panecho")
START_TIMEOUT = 180


class Serve:
    """A `panecho serve` on free ports."""

    PORTS: tuple[str, ...] = tuple(f"--{kind}-port=0" for kind in ("grpc", "http", "metrics"))

    def __init__(self, repository: Path, folder: Path, *arguments: str, prefix: Sequence[str] = ()) -> None:
        self.log_file = folder / "log" / "tritonserver.log"
        self.output = folder / "output"
        files = [f"--model-repository={repository}", f"--log-file={self.log_file}"]
        command = [*prefix, str(PANECHO), "serve", *files, *self.PORTS, *arguments]
        with self.output.open("wb") as output:
            environment = os.environ | {"http_proxy": "http://127.0.0.1:9"}  # a proxy that answers nothing
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True, env=environment
            )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while "Ctrl-C stops it" not in self.output.read_text():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.2)

    def grpc_url(self) -> str:
        (address,) = re.findall(r"gRPC +(\S+)", self.output.read_text())
        return str(address)

    def http_get(self, path: str) -> int:
        address = re.search(r"http://\S+:\d+", self.output.read_text())
        assert address
        with urllib.request.urlopen(f"{address[0]}{path}", timeout=10) as answer:  # noqa: S310 - our own server
            return int(answer.status)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def names(self) -> set[str]:
        """Names of the processes of the family; one may end at any time, such as a shell that has done its work."""
        found = set()
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                found.add(process.name())
        return found


@contextmanager
def running_serve(repository: Path, folder: Path, *arguments: str, prefix: Sequence[str] = ()) -> Iterator[Serve]:
    running = Serve(repository, folder, *arguments, prefix=prefix)
    family = []
    try:
        running.wait_until_ready()
        family = running.family()
        yield running
    finally:
        for process in family:
            if process.is_running():
                process.kill()
        running.process.kill()
        running.process.wait()


@contextmanager
def running_server(settings: ServerSettings) -> Iterator[TritonServer]:
    """A server that is killed at the end: stopping in order takes it about four seconds, and test_serve shows it."""
    with TritonServer(settings) as running:
        try:
            yield running
        finally:
            if running.pid is not None and running.is_running():
                os.kill(running.pid, signal.SIGKILL)
