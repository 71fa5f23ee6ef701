"""The obvious script behind FastAPI and uvicorn, in a separate process."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TRIES_SECONDS = 120


@dataclass(frozen=True)
class FastApiService:
    """A service that runs.

    Attributes:
        pid: Its process.
        port: Where it listens on this machine.
    """

    pid: int
    port: int

    def predict(self, data: bytes) -> list[float]:
        """Send a file and return the logits of its clip."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/predict", data)
        with opener.open(request, timeout=600) as answer:
            logits: list[float] = json.load(answer)
        return logits

    def answers(self) -> bool:
        """Tell whether it listens."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def fastapi_service() -> Iterator[FastApiService]:
    """Start the service, wait until it listens, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.obvious", "--port", str(port)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as process:  # noqa: S603 - our own program
        try:
            service, deadline = FastApiService(process.pid, port), time.monotonic() + TRIES_SECONDS
            while not service.answers():
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit("the FastAPI service does not start")
                time.sleep(0.2)
            yield service
        finally:
            process.kill()
