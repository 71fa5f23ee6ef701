"""The scripts of the server image, with the real embedded server in the place of NVIDIA's."""

import fcntl
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as triton_grpc

from panecho_client import ClipOptions, PanEcho
from panecho_server import ServerSettings
from panecho_server.backends import LIBRARIES, lay_out_backends
from panecho_server.ports import free_port
from panecho_server.shared_memory import SharedMemory
from panecho_server.wheel import find_libpython, find_wheel

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy/docker"
KEY = "a-key-for-tests-0123456789"
START_SECONDS = 120


class Container:
    """What runs in the server image, with the embedded server's `tritonserver` and backends in NVIDIA's place."""

    def __init__(self, repository: Path, folder: Path) -> None:
        wheel, libpython = find_wheel(), find_libpython()
        backends = folder / "backends"
        lay_out_backends(backends, wheel, libpython)
        (folder / "bin").mkdir()
        (folder / "bin/tritonserver").symlink_to(wheel.tritonserver)
        key = folder / "key"
        key.write_text(KEY)
        host = ServerSettings.host
        self.http_port = free_port(host)
        self.grpc_port = free_port(host)
        libraries = [str(backends / LIBRARIES), str(wheel.libraries), str(libpython.parent)]
        self.environment = {
            "PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": ":".join(libraries),
            "MODEL_REPOSITORY": str(repository),
            "HOME": str(folder),  # /tmp in the image
            "ADMIN_KEY_FILE": str(key),
            "OMP_WAIT_POLICY": "passive",
            "http_proxy": "http://127.0.0.1:9",  # answers nothing
        }
        self._options = [f"--backend-directory={backends}", "--allow-metrics=false"]
        for kind, port in (("http", self.http_port), ("grpc", self.grpc_port)):
            self._options += [f"--{kind}-address={host}", f"--{kind}-port={port}"]
        self.log_file = folder / "log"
        self.start()

    def start(self) -> None:
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [DOCKER / "start.py", *self._options],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def health(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [str(DOCKER / "healthcheck.py"), *arguments, f"http://{ServerSettings.host}:{self.http_port}"]
        return subprocess.run(
            command, env=self.environment | variables, capture_output=True, text=True, check=False, timeout=60
        )

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.health().returncode:
            assert self.process.poll() is None, self.log_file.read_text()
            assert time.monotonic() < deadline, self.log_file.read_text()
            time.sleep(0.2)

    def http(self, path: str, key: str | None = None) -> tuple[int, Any]:
        """POST nothing; return the status and the JSON of the answer."""
        headers = {"admin-key": key} if key else {}
        url = f"http://{ServerSettings.host}:{self.http_port}/v2/{path}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(urllib.request.Request(url, b"", headers), timeout=30) as answer:
                return int(answer.status), json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")


@contextmanager
def running_container(repository: Path, folder: Path) -> Iterator[Container]:
    running = Container(repository, folder)
    try:
        running.wait_until_healthy()
        yield running
    finally:
        if running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()


LEFT = Path("/dev/shm", f"{SharedMemory(socket.gethostname()).prefix}python_left")  # noqa: S108 - as Triton's Python backend leaves it
OTHERS = Path("/dev/shm", "triton_panecho_another_python_left")  # noqa: S108 - of a server with another host name


@pytest.fixture
def container(one_container: Container) -> Container:
    """The one of this module, started again after a test that ended it."""
    if one_container.process.poll() is not None:
        one_container.start()
        one_container.wait_until_healthy()
    return one_container


@pytest.fixture(scope="module")
def one_container(cold_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """One that follows a container that was killed, and left memory behind.

    Containers of one host name take each other's memory for a predecessor's, so there is one at a time (``pytest -n``).
    """
    with (tmp_path_factory.getbasetemp().parent / "container.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for region in (LEFT, OTHERS):
            region.write_bytes(bytes(1000))
        try:
            with running_container(cold_repository, tmp_path_factory.mktemp("container")) as running:
                yield running
        finally:
            OTHERS.unlink()
            SharedMemory(socket.gethostname()).remove()


def test_a_killed_container_leaves_no_memory_to_the_next(container: Container) -> None:
    assert not LEFT.exists()
    assert OTHERS.exists()
    assert list(SharedMemory(socket.gethostname()).regions())  # Triton uses this name
    assert container.health().returncode == 0


def test_every_model_is_asked_by_the_health_check(container: Container) -> None:
    done = container.health()

    assert (done.returncode, done.stdout) == (0, "ready: preprocessing, backbone, postprocessing, panecho\n")


def test_a_model_that_is_not_ready_is_unhealthy(container: Container, tmp_path: Path) -> None:
    (tmp_path / "panecho-models").write_text("panecho image_encoder")
    for variables in ({"HOME": str(tmp_path)}, {"HOME": "/nowhere", "LOAD_MODELS": "image_encoder"}):
        done = container.health(**variables)

        assert (done.returncode, done.stderr) == (1, "not ready: image_encoder\n")


def test_life_is_a_question_to_the_models_that_can_die_alone(container: Container) -> None:
    done = container.health("live")

    assert (done.returncode, done.stdout) == (0, "ready: preprocessing, postprocessing\n")


def test_a_probe_touches_no_storage_and_costs_little(container: Container, tmp_path: Path) -> None:
    stalled = tmp_path / "panecho/config.pbtxt"
    stalled.parent.mkdir()
    os.mkfifo(stalled)  # whoever opens it waits
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(4):
        assert container.health(MODEL_REPOSITORY=str(tmp_path)).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 4 < 0.1


def test_models_are_asked_at_once(tmp_path: Path) -> None:
    """Each answers after 0.5 s; two seconds would be one after the other."""
    (tmp_path / "panecho-models").write_text("a b c d")
    with socket.create_server((ServerSettings.host, 0)) as listener:

        def answer() -> None:
            connections = [listener.accept()[0] for _ in range(4)]  # all ask before any is answered
            time.sleep(0.5)
            for connection, status in zip(connections, ("200 OK", "200 OK", "400 Bad Request", "200 OK"), strict=True):
                connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
                connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://{ServerSettings.host}:{listener.getsockname()[1]}"
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        done = subprocess.run(
            [DOCKER / "healthcheck.py", url],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        thread.join()

    assert (done.returncode, done.stderr) == (1, "not ready: c\n")


def test_an_unloaded_model_is_unhealthy(container: Container) -> None:
    assert container.http("repository/models/postprocessing/unload", KEY)[0] == 200
    deadline = time.monotonic() + 30
    while (done := container.health()).returncode == 0 and time.monotonic() < deadline:
        time.sleep(0.2)
    try:
        assert done.returncode == 1
        assert "postprocessing" in done.stderr
    finally:
        assert container.http("repository/models/postprocessing/load", KEY)[0] == 200
    container.wait_until_healthy()


def test_nobody_listening_is_unhealthy(container: Container) -> None:
    done = subprocess.run(
        [DOCKER / "healthcheck.py", "http://127.0.0.1:9"],
        env=container.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, "not ready: preprocessing, backbone, postprocessing, panecho\n")


def test_a_study_is_served(container: Container, cine: Path) -> None:
    with PanEcho(f"{ServerSettings.host}:{container.grpc_port}") as panecho:
        study = panecho.predict_study(cine, tasks=["EF"], clip_options=ClipOptions(num_clips=1, clip_length=2))

    assert [video.status for video in study.videos] == ["ok"]
    assert 0 < float(study["EF"].value) < 100


@pytest.mark.parametrize(
    "path",
    [
        "repository/index",
        "repository/models/panecho/unload",
        "systemsharedmemory/region/x/register",
        "trace/setting",
        "logging",
    ],
)
def test_closed_apis_ask_for_the_key_over_http(container: Container, path: str) -> None:
    for key in (None, "another-key-0123456789"):
        status, answer = container.http(path, key)
        assert status == 403
        assert answer == {"error": "This API is restricted, expecting header 'admin-key'"}


def test_the_key_opens_a_closed_api(container: Container) -> None:
    status, index = container.http("repository/index", KEY)

    assert status == 200
    assert {"name": "panecho", "version": "1", "state": "READY"} in index


def test_closed_apis_ask_for_the_key_over_grpc(container: Container) -> None:
    client = triton_grpc.InferenceServerClient(f"{ServerSettings.host}:{container.grpc_port}")

    for call in (client.get_model_repository_index, client.get_trace_settings, client.get_log_settings):
        with pytest.raises(triton_grpc.InferenceServerException, match="This protocol is restricted"):
            call()
    index = client.get_model_repository_index(headers={"triton-grpc-protocol-admin-key": KEY})
    assert "panecho" in {model.name for model in index.models}
    client.close()


def test_sigterm_reaches_the_server_which_ends_in_order(container: Container) -> None:
    container.process.terminate()

    assert container.process.wait(60) == 0
