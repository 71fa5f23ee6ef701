"""Builds the images with buildah on bases made of packages, and runs them with runc as Kubernetes would."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panecho_server.wheel import find_wheel

ROOT = Path(__file__).parents[2]
PYTHON = "docker.io/library/python:3.12.13-slim-trixie"
TRITON = "nvcr.io/nvidia/tritonserver:26.11-py3"
TOOLS = ("buildah", "debootstrap", "runc")
LIBRARIES = "ca-certificates,libbz2-1.0,libffi8,liblzma5,libsqlite3-0,libssl3t64,libstdc++6,zlib1g"
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")

TRITONSERVER = """#!/bin/sh
# The wheel's tritonserver is 24.10, which lacks an option of 25.06 and newer.
for option in "$@"; do
    shift
    case $option in --http-max-input-size=*) ;; *) set -- "$@" "$option" ;; esac
done
export LD_LIBRARY_PATH=/opt/tritonserver/lib
exec /opt/tritonserver/bin/tritonserver --backend-directory=/opt/tritonserver/backends "$@"
"""

BACKBONE = '''"""Answers with zeros of the shapes that config.pbtxt gives: libtorch is not in this base."""
import json
import numpy
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        self.first = config["input"][0]["name"]
        self.outputs = [(each["name"], [int(size) for size in each["dims"]]) for each in config["output"]]

    def execute(self, requests):
        return [self.respond(pb_utils.get_input_tensor_by_name(request, self.first).shape()[0]) for request in requests]

    def respond(self, clips):
        zeros = {name: numpy.zeros((clips, *dims), numpy.float32) for name, dims in self.outputs}
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, value) for name, value in zeros.items()])
'''


def python_312() -> Path | None:
    """Return the folder of a Python 3.12 with its shared library; None if this machine has none."""
    homes = [Path(sys.base_prefix), *sorted(Path.home().glob(".pyenv/versions/3.12.*")), Path("/usr/local")]
    return next((home for home in homes if (home / "lib/libpython3.12.so.1.0").is_file()), None)


@dataclass(frozen=True)
class Store:
    """Images and containers below one folder, none of the machine's own.

    Attributes:
        folder: Where they are.
    """

    folder: Path

    def buildah(self, *arguments: str | Path) -> str:
        """Run buildah; return what it prints.

        Raises:
            AssertionError: It fails; the text is the end of what it says.
        """
        storage: list[str | Path] = [
            "--root",
            self.folder / "images",
            "--runroot",
            self.folder / "run",
            "--storage-driver",
            "overlay",
        ]
        command: list[str | Path] = ["buildah", *storage, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return str(done.stdout).strip()

    @contextmanager
    def mounted(self, image: str) -> Iterator[tuple[str, Path]]:
        """Make a container of an image, and mount its root."""
        container = self.buildah("from", "--pull-never", "--isolation", "chroot", image)
        try:
            yield container, Path(self.buildah("mount", container))
        finally:
            self.buildah("rm", container)

    def commit(self, container: str, name: str) -> None:
        """Make an image of a container."""
        self.buildah("commit", "--quiet", "--format", "docker", container, name)

    def build(self, target: str) -> str:
        """Build a target of the Dockerfile, on bases of the same tag; return the image's name."""
        name = f"localhost/panecho-triton-{target}:test"
        dockerfile = self.folder / "Dockerfile"
        text = (ROOT / "deploy/docker/Dockerfile").read_text()
        dockerfile.write_text(re.sub(r"@sha256:[0-9a-f]{64}", "", text))
        how = ["--quiet", "--pull-never", "--isolation", "chroot", "--format", "docker"]
        self.buildah("bud", *how, "--target", target, "--tag", name, "--file", dockerfile, ROOT)
        return name

    def configuration(self, image: str) -> dict[str, Any]:
        """Return what an image says about itself."""
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", image))["Docker"]["config"]
        return found


def make_python_base(store: Store, python: Path) -> None:
    """Make what stands in for Docker's image of Python: Debian, and this machine's Python 3.12."""
    with store.mounted("scratch") as (container, root):
        command: list[str | Path] = ["debootstrap", "--variant=minbase", f"--include={LIBRARIES}", "trixie", root]
        done = subprocess.run([*command, "http://deb.debian.org/debian"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:]
        left_out = shutil.ignore_patterns("__pycache__", "config-3.12-*", "test", "site-packages")
        for name in ("bin", "lib"):
            shutil.copytree(
                python / name, root / "usr/local" / name, symlinks=True, dirs_exist_ok=True, ignore=left_out
            )
        shutil.copy(f"/{CERTIFICATES}", root / CERTIFICATES)
        store.buildah("config", *(f"--env={name}" for name in _environment()), container)
        python_path = "/usr/local/bin/python3.12"
        for name in ("python", "python3"):
            (root / "usr/local/bin" / name).unlink(missing_ok=True)
            (root / "usr/local/bin" / name).symlink_to(python_path)
        (root / "usr/local/lib/python3.12/site-packages").mkdir(exist_ok=True)
        store.buildah("run", container, "--", "ldconfig")
        store.buildah("run", container, "--", python_path, "-m", "ensurepip", "--default-pip")
        store.commit(container, PYTHON)


def _environment() -> Iterator[str]:
    """Yield how this machine's pip reaches its index."""
    yield f"PIP_CERT=/{CERTIFICATES}"
    yield from (f"{name}={value}" for name in ("PIP_INDEX_URL",) if (value := os.environ.get(name)))


def make_triton_base(store: Store) -> None:
    """Make what stands in for NVIDIA's image: the wheel's tritonserver, with a backbone that answers zeros."""
    wheel = find_wheel()
    with store.mounted(PYTHON) as (container, root):
        triton = root / "opt/tritonserver"
        (triton / "bin").mkdir(parents=True)
        shutil.copy(wheel.tritonserver, triton / "bin")
        shutil.copytree(wheel.libraries, triton / "lib")
        shutil.copytree(wheel.python_backend, triton / "backends/python")
        shutil.copy(wheel.stub.parents[1] / "3.12" / wheel.stub.name, triton / "backends/python")
        (triton / "backends/pytorch").mkdir()
        (triton / "backends/pytorch/model.py").write_text(BACKBONE)
        (root / "opt/nvidia").mkdir()
        _command(root / "opt/nvidia/nvidia_entrypoint.sh", '#!/bin/sh\nexec "$@"\n')
        _command(root / "usr/local/bin/tritonserver", TRITONSERVER)
        store.commit(container, TRITON)


def _command(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@dataclass(frozen=True)
class Container:
    """A container that runs.

    Attributes:
        name: For runc.
        folder: Of its bundle and its log.
        process: What waits for it.
    """

    name: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The process on this machine that is its first."""
        return int(json.loads(self.runc("state", self.name).stdout)["pid"])

    def runc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run runc on it."""
        return runc(self.folder.parent, *arguments)

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as its own process runs."""
        return self.runc("exec", self.name, *command)

    def wait_for(self, command: Sequence[str], seconds: float) -> str:
        """Run a command until it succeeds; return what it prints."""
        end = time.monotonic() + seconds
        while (done := self.execute(*command)).returncode:
            assert self.process.poll() is None, self.log[-3000:]
            assert time.monotonic() < end, done.stdout + done.stderr + self.log[-3000:]
            time.sleep(1)
        return done.stdout


def runc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run runc with its state in a folder."""
    command: list[str | Path] = ["runc", "--root", folder / "runc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def running(
    store: Store,
    image: str,
    *arguments: str,
    mounts: Mapping[str, Path],
    beside: Container | None = None,
    name: str = "",
) -> Iterator[Container]:
    """Run an image: its own user and command, a read-only root, no capabilities, no network but that of its pod.

    Args:
        store: Where the image is.
        image: Its name.
        arguments: After its entry point.
        mounts: What it finds where, read-only.
        beside: Container whose pod it joins.
        name: What to call it. Default: as the image.
    """
    name = name or image.rpartition("/")[2].replace(":", "-")
    folder = store.folder / name
    folder.mkdir()
    described = store.configuration(image)
    with store.mounted(image) as (_, root):
        specification = _specification(described, root, arguments, mounts, _network(beside))
        (folder / "config.json").write_text(json.dumps(specification))
        with (folder / "log").open("wb") as log:
            command: list[str | Path] = ["runc", "--root", store.folder / "runc", "run", "--bundle", folder, name]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield Container(name, folder, process)
        finally:
            runc(store.folder, "delete", "--force", name)
            process.wait(timeout=30)


def _network(beside: Container | None) -> dict[str, str]:
    if beside is None:
        return {"type": "network"}
    return {"type": "network", "path": f"/proc/{beside.pid}/ns/net"}


def _specification(
    described: dict[str, Any], root: Path, arguments: Sequence[str], mounts: Mapping[str, Path], network: dict[str, str]
) -> dict[str, Any]:
    user, _, group = described["User"].partition(":")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": int(user), "gid": int(group)},
            "args": [*described["Entrypoint"], *arguments],
            "env": described["Env"],
            "cwd": described["WorkingDir"] or "/",
            "noNewPrivileges": True,
            "capabilities": {},
        },
        "root": {"path": str(root), "readonly": True},
        "hostname": "pod",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            *(
                {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]}
                for path in ("/dev/shm", "/tmp")  # noqa: S108 - mounts
            ),
            *(
                {"destination": path, "type": "bind", "source": str(source), "options": ["rbind", "ro"]}
                for path, source in mounts.items()
            ),
        ],
        "linux": {"namespaces": [*({"type": kind} for kind in ("pid", "ipc", "uts", "mount")), network]},
    }
