"""The images: built from the Dockerfile as it is, and run not as root on a read-only root, with their health check.

``client`` is built whole on a base made of Debian's packages and a Python 3.12; ``server`` on a base with the wheel's
tritonserver, whose backbone answers zeros. NVIDIA's own image is no part of this.
"""

import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.images import TOOLS, Container, Store, make_python_base, make_triton_base, python_312, running
from support.manifests import rendered_objects

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, TOOLS)) or python_312() is None,
        reason=f"needs root, a Python 3.12 with its shared library, and: apt-get install {' '.join(TOOLS)}",
    ),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    found = Store(tmp_path_factory.mktemp("store"))
    python = python_312()
    assert python is not None
    make_python_base(found, python)
    make_triton_base(found)
    yield found
    found.buildah("rmi", "--all", "--force")  # gigabytes, which pytest would keep
    shutil.rmtree(found.folder)


@pytest.fixture(scope="module")
def client(store: Store) -> str:
    return store.build("client")


@pytest.fixture(scope="module")
def image(store: Store) -> str:
    return store.build("server")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "model_repository", models / "repository")
    with zipfile.ZipFile(models / "repository/backbone/1/model.pt", "w"):
        pass  # what start.py takes for an exported model; the base's backbone reads none
    for folder in (models.parent, models):
        folder.chmod(0o755)
    return models


@pytest.fixture(scope="module")
def server(store: Store, image: str, models: Path) -> Iterator[Container]:
    with running(store, image, mounts={"/models": models}) as container:
        yield container


def test_the_server_becomes_ready(store: Store, image: str, server: Container) -> None:
    check = store.configuration(image)["Healthcheck"]["Test"]
    assert check == ["CMD", "/opt/panecho/healthcheck.py"]
    assert server.wait_for(check[1:], 120) == "ready: preprocessing, backbone, postprocessing, panecho\n"
    assert server.execute(*check[1:], "live").stdout == "ready: preprocessing, postprocessing\n"


def test_the_server_may_do_nothing_but_serve(server: Container) -> None:
    identity = server.execute("cat", "/proc/1/status").stdout
    assert "Uid:\t1000\t1000\t1000\t1000" in identity
    assert "CapEff:\t0000000000000000" in identity
    assert "Read-only file system" in server.execute("touch", "/opt/panecho/new").stderr
    assert "Read-only file system" in server.execute("touch", "/models/repository/new").stderr
    assert server.execute("find", "/opt/panecho", "-writable", "-not", "-type", "l").stdout == ""


def test_the_client_predicts_on_the_server(store: Store, server: Container, client: str, cine: Path) -> None:
    server.wait_for(["/opt/panecho/healthcheck.py"], 120)
    with running(store, client, "predict", "/study", mounts={"/study": cine}, beside=server) as container:
        assert container.process.wait(timeout=120) == 0, container.log
        assert "EF" in container.log


def test_a_server_that_is_stopped_ends_in_order(server: Container) -> None:
    server.wait_for(["/opt/panecho/healthcheck.py"], 120)
    server.runc("kill", server.name, "TERM")
    assert server.process.wait(timeout=60) == 0, server.log[-3000:]


def test_a_server_that_hangs_is_back_within_90_s(store: Store, image: str, models: Path) -> None:
    """Does what the kubelet does with the Deployment's probes.

    It hangs as a whole: that a process of one model is dead, this base's Triton 24.10 does not notice.
    """
    (deployment,) = (item for item in rendered_objects()["overlays/gpu"] if item["kind"] == "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    alive, ready = container["livenessProbe"], container["readinessProbe"]["exec"]["command"]
    with running(store, image, mounts={"/models": models}, name="first") as first:
        first.wait_for(ready, 120)
        hung = time.monotonic()
        os.kill(first.pid, signal.SIGSTOP)
        for probes in range(1, alive["failureThreshold"] + 1):
            time.sleep(hung + probes * alive["periodSeconds"] - time.monotonic())
            assert first.execute(*alive["exec"]["command"]).returncode == 1
        first.runc("kill", first.name, "TERM")
        with suppress(subprocess.TimeoutExpired):
            first.process.wait(timeout=alive["terminationGracePeriodSeconds"])
    with running(store, image, mounts={"/models": models}, name="second") as second:
        second.wait_for(ready, 60)
        assert time.monotonic() - hung + alive["periodSeconds"] < 90  # the first probe may be a period away
