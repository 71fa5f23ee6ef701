"""`panecho serve` as a user runs it: starts, answers, stops, and leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

PANECHO = Path(sys.executable).with_name("panecho")
START_TIMEOUT = 180
STOP_TIMEOUT = 60


class Serve:
    """A `panecho serve` on free ports."""

    def __init__(self, repository: Path, folder: Path, *arguments: str) -> None:
        self.log_file = folder / "log" / "tritonserver.log"
        self.output = folder / "output"
        ports = [f"--{kind}-port=0" for kind in ("grpc", "http", "metrics")]
        files = [f"--model-repository={repository}", f"--log-file={self.log_file}"]
        command = [str(PANECHO), "serve", *files, *ports, *arguments]
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


@pytest.fixture
def serve(repository: Path, tmp_path: Path) -> Iterator[Serve]:
    running = Serve(repository, tmp_path, "--load=image_encoder", "--load=doubling")
    running.wait_until_ready()
    family = running.family()
    yield running
    for process in family:
        if process.is_running():
            process.kill()
    running.process.kill()
    running.process.wait()


def assert_all_gone(family: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(family, timeout=STOP_TIMEOUT)
    assert [process.name() for process in alive] == []


@pytest.mark.slow
def test_ctrl_c_leaves_no_process(serve: Serve) -> None:
    for model in ("panecho", "image_encoder", "doubling"):
        assert serve.http_get(f"/v2/models/{model}/ready") == 200
    family = serve.family()
    assert {"tritonserver", "triton_python_backend_stub"} <= serve.names()
    os.killpg(serve.process.pid, signal.SIGINT)
    assert serve.process.wait(STOP_TIMEOUT) == 0
    assert_all_gone(family)
    assert "Stopped." in serve.output.read_text()
    assert "Traceback" not in serve.output.read_text()
    assert "successfully loaded" in serve.log_file.read_text()
    for told in (serve.output, serve.log_file):
        assert "STAND-IN WEIGHTS" in told.read_text()


@pytest.mark.slow
def test_a_stop_while_models_load_leaves_no_process(repository: Path, tmp_path: Path) -> None:
    serve = Serve(repository, tmp_path)
    deadline = time.monotonic() + START_TIMEOUT
    while "triton_python_backend_stub" not in serve.names():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    family = serve.family()
    os.killpg(serve.process.pid, signal.SIGINT)
    assert serve.process.wait(STOP_TIMEOUT) == 0
    assert_all_gone(family)
    assert "Stopped." in serve.output.read_text()


@pytest.mark.slow
def test_a_killed_parent_leaves_no_process(serve: Serve) -> None:
    family = serve.family()
    serve.process.kill()
    assert_all_gone(family)


def run_serve(*arguments: str | Path) -> str:
    """Return what a `panecho serve` that cannot start says, on one line."""
    result = subprocess.run([PANECHO, "serve", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


def test_missing_repository_says_how_to_make_one(tmp_path: Path) -> None:
    assert "is not a PanEcho model repository; make one: panecho export" in run_serve("--model-repository", tmp_path)


def test_a_model_that_is_not_in_the_repository_is_named(repository: Path) -> None:
    message = run_serve("--model-repository", repository, "--load", "image_decoder")
    assert "holds no model 'image_decoder'" in message


def test_repository_without_a_model_says_how_to_export() -> None:
    source = Path(__file__).parents[2] / "model_repository"
    assert "panecho export --checkpoint PATH" in run_serve("--model-repository", source)


def test_taken_port_is_named(repository: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port} is taken on 127.0.0.1" in run_serve("--model-repository", repository, "--grpc-port", port)


@pytest.mark.slow
def test_broken_model_is_explained_from_the_log(repository: Path, tmp_path: Path) -> None:
    broken = tmp_path / "repository"
    for file in repository.rglob("*"):
        if file.is_file():
            (broken / file.relative_to(repository)).parent.mkdir(parents=True, exist_ok=True)
            (broken / file.relative_to(repository)).symlink_to(file)
    (broken / "backbone/1/model.pt").unlink()
    (broken / "backbone/1/model.pt").write_bytes(b"not a model")
    message = run_serve("--model-repository", broken, "--log-file", tmp_path / "log")
    assert "tritonserver stopped while starting" in message
    assert "failed to load 'backbone'" in message
