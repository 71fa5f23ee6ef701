"""A start in which tritonserver crashes."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from panecho_server import ServerSettings, TritonServer
from panecho_server.errors import CrashError
from panecho_server.tritonserver import START_ATTEMPTS


@contextmanager
def crashes(server: TritonServer, times: int) -> Iterator[list[int]]:
    """End the first processes of a server as a fault in Triton ends them; the list holds their ids."""
    crashed: list[int] = []

    def crash() -> None:
        deadline = time.monotonic() + 60
        while len(crashed) < times and time.monotonic() < deadline:
            if server.pid is not None and server.pid not in crashed and server.is_running():
                with suppress(ProcessLookupError):
                    os.kill(server.pid, signal.SIGABRT)
                    crashed.append(server.pid)
            time.sleep(0.01)

    thread = threading.Thread(target=crash)
    thread.start()
    yield crashed
    thread.join()


@pytest.fixture
def server(cold_repository: Path, tmp_path: Path) -> Iterator[TritonServer]:
    settings = ServerSettings(
        model_repository=cold_repository,
        load=("postprocessing",),
        grpc_port=0,
        http_port=0,
        metrics_port=0,
        log_file=tmp_path / "tritonserver.log",
    )
    starting = TritonServer(settings)
    yield starting
    starting.stop()


def test_it_is_tried_again(server: TritonServer) -> None:
    with crashes(server, START_ATTEMPTS - 1) as crashed:
        server.start()
    assert len(crashed) == START_ATTEMPTS - 1
    assert server.is_ready("postprocessing")


def test_it_is_given_up(server: TritonServer) -> None:
    with crashes(server, START_ATTEMPTS) as crashed, pytest.raises(CrashError, match="stopped while starting"):
        server.start()
    assert len(crashed) == START_ATTEMPTS
    assert not server.is_running()
