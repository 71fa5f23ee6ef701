"""Servers of one machine that are started at the same time, each on the default ports."""

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from panecho_client import ClipOptions, PanEcho
from panecho_server.shared_memory import FOLDER
from support.serve import Serve

QUICK = ClipOptions(num_clips=1, clip_length=1)
STOP_TIMEOUT = 60


class ServeOnDefaultPorts(Serve):
    """A `panecho serve` that chooses its ports as it does without options."""

    PORTS = ()


def shared_memory_prefix(server: Serve) -> str:
    """Return how the names of a server's regions begin; other servers of this machine have others."""
    (command,) = (process.cmdline() for process in server.family() if process.name() == "tritonserver")
    return next(word.partition("shm-region-prefix-name=")[2] for word in command if "shm-region-prefix-name=" in word)


@contextmanager
def served(repository: Path, folder: Path) -> Iterator[Serve]:
    folder.mkdir()
    running = ServeOnDefaultPorts(repository, folder)
    try:
        yield running
    finally:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(STOP_TIMEOUT) == 0, running.output.read_text()


@pytest.mark.parametrize(
    "rounds", [pytest.param(1, marks=pytest.mark.slow), pytest.param(10, marks=[pytest.mark.slow, pytest.mark.long])]
)
def test_two_servers_started_together_both_serve(
    cold_repository: Path, tmp_path: Path, cine: Path, rounds: int
) -> None:
    prefixes: set[str] = set()
    for number in range(rounds):
        with ExitStack() as opened:
            both = [opened.enter_context(served(cold_repository, tmp_path / f"{number}-{name}")) for name in "ab"]
            for server in both:
                server.wait_until_ready()
            running = {shared_memory_prefix(server) for server in both}
            assert all([*FOLDER.glob(f"{prefix}*")] for prefix in running)
            prefixes |= running
            output = [server.output.read_text() for server in both]
            assert not any("again" in text for text in output), output
            ports = [re.findall(r":(\d+)\b", text) for text in output]
            assert len(ports[0]) == len(ports[1]) == 3, output
            assert not set(ports[0]) & set(ports[1])
            values = []
            for server in both:
                with PanEcho(server.grpc_url()) as panecho:
                    values.append(panecho.predict_study(cine, tasks=["EF"], clip_options=QUICK)["EF"].value)
            assert values[0] == pytest.approx(values[1], abs=1e-4)
    assert len(prefixes) == 2 * rounds
    assert [region for prefix in prefixes for region in FOLDER.glob(f"{prefix}*")] == []
