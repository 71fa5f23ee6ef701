"""Checks of this machine: Python, packages, what the embedded server needs, ports, disk and GPU."""

import platform
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from panecho_admin.model_status import StatusClient
from panecho_admin.server_checks import Check
from panecho_client._connection import Connection
from panecho_client._exceptions import PanEchoError

PACKAGES = ("numpy", "tritonclient", "pydicom", "opencv-python-headless", "imagecodecs", "torch", "nvidia-pytriton")
SERVER_EXTRA = "pip install 'panecho-triton[server]'"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, not written to
HOST = "127.0.0.1"

# An exported repository takes 0.2 GB, and is written anew before the old one is replaced.
DISK_NEEDED = 500 * 10**6
# Each request lies there twice: its files, and the clips of them, up to 0.3 GB for 128 clips.
SHARED_MEMORY_NEEDED = 256 * 2**20
SHARED_MEMORY_WANTED = 2**30

_SECONDS = 2.0


def local_checks() -> Iterator[Check]:
    """Look at this machine. What only a server needs is looked at where the server's extra is installed."""
    yield Check(name="Python", status="ok", found=f"{platform.python_version()} on {platform.platform()}")
    yield from _packages()
    if find_spec("pytriton") is None:
        found = "not installed: this machine can ask servers, not be one"
        yield Check(name="embedded server", status="ok", found=found, advice=f"To serve here: {SERVER_EXTRA}")
        return
    from panecho_server import settings  # noqa: PLC0415 - another package, of use with its extra only

    yield from _embedded_server()
    yield _disk(settings.ServerSettings.model_repository)
    yield _shared_memory(SHARED_MEMORY)
    yield from _gpus()
    grpc, http, metrics = settings.DEFAULT_GRPC_PORT, settings.DEFAULT_HTTP_PORT, settings.DEFAULT_METRICS_PORT
    yield _port("gRPC port", grpc, _is_triton_grpc(f"{HOST}:{grpc}"))
    yield _port("HTTP port", http, "triton" in _get(f"http://{HOST}:{http}/v2"))
    yield _port("metrics port", metrics, "nv_" in _get(f"http://{HOST}:{metrics}/metrics"))


def _packages() -> Iterator[Check]:
    versions = {name: _version(name) for name in PACKAGES}
    yield Check(name="packages", status="ok", found=", ".join(f"{name} {found}" for name, found in versions.items()))
    if find_spec("pytriton") and not versions["numpy"].startswith("1."):
        found = f"{versions['numpy']}, and the embedded server needs 1"
        yield Check(name="numpy", status="failed", found=found, advice=SERVER_EXTRA)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _embedded_server() -> Iterator[Check]:
    from panecho_server.wheel import find_libpython, find_wheel  # noqa: PLC0415 - as above

    yield _possible("platform", _platform)
    yield _possible("tritonserver", lambda: str(find_wheel().tritonserver))
    yield _possible("libpython", lambda: str(find_libpython()))


def _platform() -> str:
    from panecho_server.wheel import check_platform  # noqa: PLC0415 - as above

    check_platform()
    return f"{platform.system()} {platform.machine()}"


def _possible(name: str, ask: Callable[[], str]) -> Check:
    from panecho_server import PlatformError  # noqa: PLC0415 - as above

    try:
        return Check(name=name, status="ok", found=ask())
    except PlatformError as error:
        found, advice = re.split(r"[;.:] ", str(error), maxsplit=1)  # its texts begin with what is missing
        return Check(name=name, status="failed", found=found, advice=advice)


def _disk(folder: Path) -> Check:
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / 1e9:.1f} GB free for {folder}"
    if free < DISK_NEEDED:
        advice = f"Free {DISK_NEEDED / 1e9:.1f} GB, or export to another disk with --model-repository."
        return Check(name="disk", status="failed", found=found, advice=advice)
    return Check(name="disk", status="ok", found=found)


def _shared_memory(folder: Path) -> Check:
    if not folder.is_dir():
        advice = f"Mount a tmpfs on {folder}; Triton's Python models exchange tensors there."
        return Check(name="shared memory", status="failed", found=f"no {folder}", advice=advice)
    usage = shutil.disk_usage(folder)
    found = f"{usage.free / 2**20:.0f} of {usage.total / 2**20:.0f} MiB free in {folder}"
    advice = f"Give {folder} 1 GiB or more: docker run --shm-size=2g, or mount -o remount,size=2g {folder}."
    if usage.free < SHARED_MEMORY_NEEDED:
        return Check(name="shared memory", status="failed", found=found, advice=advice)
    if usage.free < SHARED_MEMORY_WANTED:
        return Check(name="shared memory", status="warning", found=f"{found}: large studies fail", advice=advice)
    return Check(name="shared memory", status="ok", found=found)


def _gpus() -> Iterator[Check]:
    command = shutil.which("nvidia-smi")
    if command is None:
        yield Check(name="GPU", status="ok", found="none: the models run on the CPU")
        return
    query = [command, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20)  # noqa: S603 - as found
    except (OSError, subprocess.SubprocessError) as error:
        advice = "Run nvidia-smi; the driver may need a restart of the machine. Without a GPU the CPU is used."
        yield Check(name="GPU", status="warning", found=f"nvidia-smi fails: {type(error).__name__}", advice=advice)
        return
    for line in answer.stdout.splitlines():
        name, driver, memory = (part.strip() for part in line.split(",", 2))
        yield Check(name="GPU", status="ok", found=f"{name}, driver {driver}, {memory}")
    yield _cuda()


def _cuda() -> Check:
    import torch  # noqa: PLC0415 - takes seconds, and is only there with the extra

    if not torch.cuda.is_available():
        advice = f"Update the NVIDIA driver to one for CUDA {torch.version.cuda}; until then the CPU is used."
        return Check(name="CUDA", status="warning", found=f"torch {torch.__version__} cannot use it", advice=advice)
    return Check(name="CUDA", status="ok", found=f"torch {torch.__version__} uses it with CUDA {torch.version.cuda}")


def _port(name: str, port: int, triton: bool) -> Check:  # noqa: FBT001 - what was found
    if triton:
        return Check(name=name, status="ok", found=f"{port}: a Triton server answers")
    if not _is_taken(port):
        return Check(name=name, status="ok", found=f"{port}: free")
    advice = "`panecho serve` takes the next free port and prints it; stop the other program to have this one."
    return Check(name=name, status="warning", found=f"{port}: taken by another program", advice=advice)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_SECONDS)
        return probe.connect_ex((HOST, port)) == 0


def _is_triton_grpc(url: str) -> bool:
    try:
        with StatusClient(Connection(url=url, timeout=_SECONDS)) as client:
            return client.server().live
    except PanEchoError:
        return False


def _get(url: str) -> str:
    """Return the beginning of a page of this machine, through no proxy; nothing where there is none."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_SECONDS) as answer:
            return str(answer.read(1 << 16).decode(errors="replace"))
    except (urllib.error.URLError, OSError, ValueError):
        return ""
