"""`panecho serve` as a user runs it: starts, answers, stops, and leaves nothing behind."""

import errno
import os
import re
import signal
import socket
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import trustme

from panecho_client import Connection, PanEcho, Retry, ServerUnavailableError, Tls
from support.serve import PANECHO, START_TIMEOUT, Serve, running_serve

STOP_TIMEOUT = 60


@pytest.fixture
def serve(cold_repository: Path, tmp_path: Path) -> Iterator[Serve]:
    with running_serve(cold_repository, tmp_path, "--load=doubling") as running:
        yield running


def assert_all_gone(family: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(family, timeout=STOP_TIMEOUT)
    assert [process.name() for process in alive] == []


@pytest.mark.slow
def test_ctrl_c_leaves_no_process(serve: Serve) -> None:
    for model in ("panecho", "doubling"):
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
def test_with_a_certificate_grpc_is_encrypted_and_http_stays_on_this_machine(
    cold_repository: Path, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "server.key")
    files = [f"--tls-certificate={tmp_path / 'server.pem'}", f"--tls-key={tmp_path / 'server.key'}"]
    with running_serve(cold_repository, tmp_path, "--host=0.0.0.0", *files) as serve:
        told = serve.output.read_text()
        port = re.search(r"gRPC +0\.0\.0\.0:(\d+) with TLS", told)
        assert port
        url = f"127.0.0.1:{port[1]}"
        with PanEcho(Connection(url=url, tls=Tls(root_certificates=tmp_path / "ca.pem"))) as panecho:
            assert len(panecho.tasks) == 40
        for tls in (None, Tls()):  # not encrypted, and without this authority
            connection = Connection(url=url, tls=tls, connect_timeout=5, retry=Retry(seconds=0))
            with PanEcho(connection) as panecho, pytest.raises(ServerUnavailableError):
                _ = panecho.tasks
        assert serve.http_get("/v2/health/ready") == 200
        http = re.search(r"http://127\.0\.0\.1:(\d+)", told)
        assert http
        with socket.socket() as another:  # every address 127.… is this machine; 0.0.0.0 would take this one as well
            assert another.connect_ex(("127.0.0.2", int(http[1]))) == errno.ECONNREFUSED
            assert "Not encrypted" not in told


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
    with zipfile.ZipFile(broken / "backbone/1/model.pt", "w") as archive:
        archive.writestr("model/data.pkl", b"not a model")
    message = run_serve("--model-repository", broken, "--log-file", tmp_path / "log")
    assert "tritonserver stopped while starting" in message
    assert "failed to load 'backbone'" in message
