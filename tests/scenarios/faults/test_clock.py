"""The clock of the machine jumps, forwards and back, while requests are on their way."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray

from panecho_server import ServerSettings, TritonServer
from panecho_server.supervision import dead_models
from support.wire import infer_study

LIBFAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
PARAMETERS: dict[str, int | str] = {"num_clips": 1, "clip_length": 1}
JUMPS = ("+1h", "-1h", "+2d", "-400d", "+0")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.skipif(not LIBFAKETIME.exists(), reason="needs Debian's libfaketime, to change a clock of one's own"),
]


class Clock:
    """The time of day of the processes that run in `environment`; time spans are measured as ever."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faketime"
        self.set("+0")
        self.environment = {
            "LD_PRELOAD": str(LIBFAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: str) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset}\n")
        new.replace(self._file)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def jumping(clock: Clock, cold_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A server that lives by that clock, it and its models."""
    log_file = tmp_path_factory.mktemp("jumping") / "log"
    settings = ServerSettings(
        model_repository=cold_repository, http_port=0, grpc_port=0, metrics_port=0, log_file=log_file
    )
    running = TritonServer(settings)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in clock.environment.items():
            patch.setenv(name, value)
        running.start()
    with running:
        assert all(LIBFAKETIME.name in maps(process) for process in processes(running))
        yield running


def processes(server: TritonServer) -> list[psutil.Process]:
    main = psutil.Process(server.pid)
    return [main, *main.children(recursive=True)]


def maps(process: psutil.Process) -> str:
    return Path(f"/proc/{process.pid}/maps").read_text()


def test_the_clock_does_jump(clock: Clock) -> None:
    clock.set("+2d")
    told = subprocess.run(["date", "+%s"], env=os.environ | clock.environment, check=True, capture_output=True)  # noqa: S607
    clock.set("+0")
    assert int(told.stdout) - time.time() == pytest.approx(2 * 86400, abs=5)


def test_a_server_whose_clock_jumps_answers_as_ever(clock: Clock, jumping: TritonServer, cine: Path) -> None:
    ended = False
    file = cine.read_bytes()

    def call() -> list[NDArray[np.float32]]:
        answers = []
        with triton.InferenceServerClient(jumping.grpc_url) as client:
            while not ended:
                answers.append(infer_study(client, triton, [file], ["EF"], PARAMETERS)["EF"])
        return answers

    with triton.InferenceServerClient(jumping.grpc_url) as client:
        expected = infer_study(client, triton, [file], ["EF"], PARAMETERS)["EF"]
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(call) for _ in range(3)]
        for offset in JUMPS:
            time.sleep(1)
            clock.set(offset)
        time.sleep(2)
        ended = True
        answers = [answer for future in futures for answer in future.result(60)]
    assert len(answers) > 3
    for answer in answers:
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)
    assert jumping.is_ready("panecho")
    assert not dead_models(jumping)


CLIENT = """
import sys
from panecho_client import Connection, PanEcho, ClipOptions
url, file = sys.argv[1:]
with PanEcho(Connection(url=url, timeout=30)) as panecho:
    for _ in range(25):
        value = panecho.predict_study(file, clip_options=ClipOptions(num_clips=1, clip_length=1))["EF"].value
        print(value, flush=True)
"""


def test_a_client_whose_clock_jumps_keeps_its_deadlines(clock: Clock, jumping: TritonServer, cine: Path) -> None:
    command = [sys.executable, "-c", CLIENT, jumping.grpc_url, str(cine)]
    environment = os.environ | clock.environment
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout
        first = client.stdout.readline()
        for offset in JUMPS:
            time.sleep(0.5)
            clock.set(offset)
        output, errors = client.communicate(timeout=120)
    assert client.returncode == 0, errors
    values = [float(line) for line in [first, *output.splitlines()]]
    assert len(values) == 25
    assert values == pytest.approx([values[0]] * 25, abs=1e-4)
