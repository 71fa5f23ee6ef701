"""Checks of what the embedded server needs from this machine: wheel, numpy, disk, shared memory and ports."""

import platform
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from panecho_server import precision, settings, wheel
from panecho_server.errors import PlatformError
from panecho_server.http_api import HttpApi

SERVER_EXTRA = "in a checkout: pip install ./client '.[server]'"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, not written to
HOST = "127.0.0.1"

# An exported repository takes 0.2 GB; a new one is complete before the old one is removed.
DISK_NEEDED = 500 * 10**6
# Shared memory holds each request twice: its files, and their clips, up to 0.3 GB for 128 clips.
SHARED_MEMORY_NEEDED = 256 * 2**20
SHARED_MEMORY_ADVISED = 2**30

_SECONDS = 2.0
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # and empty SETTINGS
_SETTINGS_FRAME = 4


class Finding(NamedTuple):
    """The result of one check, in the form that ``panecho doctor`` collects from the entry points ``panecho.checks``.

    Attributes:
        name: What was checked.
        status: ``ok``; ``warning`` for what works and may surprise; ``failed`` for what does not work.
        found: What was found.
        advice: What to do about it; never empty unless ``ok``.
    """

    name: str
    status: str
    found: str
    advice: str = ""


def server_machine_checks() -> Iterator[Finding]:
    """Check this machine, where the server's extra is installed."""
    if find_spec("pytriton") is None:
        found = "not installed: this machine can ask servers, not be one"
        yield Finding("embedded server", "ok", found, f"To serve here: {SERVER_EXTRA}")
        return
    yield _possible("platform", _platform)
    yield _possible("numpy", _numpy)
    yield _possible("tritonserver", lambda: str(wheel.find_wheel().tritonserver))
    yield _possible("libpython", lambda: str(wheel.find_libpython()))
    yield _disk(settings.ServerSettings.model_repository)
    yield _shared_memory(SHARED_MEMORY)
    yield from _precision(settings.ServerSettings.model_repository)
    grpc, http, metrics = settings.DEFAULT_GRPC_PORT, settings.DEFAULT_HTTP_PORT, settings.DEFAULT_METRICS_PORT
    yield _port("gRPC port", grpc, "a gRPC server" if _speaks_http2(grpc) else "")
    yield _port("HTTP port", http, "a Triton server" if b"triton" in _page(http, "v2") else "")
    yield _port("metrics port", metrics, "a Triton server" if b"nv_" in _page(metrics, "metrics") else "")


def _possible(name: str, ask: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", ask())
    except PlatformError as error:
        found, advice = re.split(r"[;.:] ", str(error), maxsplit=1)  # its texts begin with what is missing
        return Finding(name, "failed", found, advice)


def _platform() -> str:
    wheel.check_platform()
    return f"{platform.system()} {platform.machine()}"


def _numpy() -> str:
    wheel.check_numpy()
    return version("numpy")


def _disk(folder: Path) -> Finding:
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / 1e9:.1f} GB free for {folder}"
    if free < DISK_NEEDED:
        advice = f"Free {DISK_NEEDED / 1e9:.1f} GB, or export to another disk with --model-repository."
        return Finding("disk", "failed", found, advice)
    return Finding("disk", "ok", found)


def _shared_memory(folder: Path) -> Finding:
    if not folder.is_dir():
        advice = f"Mount a tmpfs on {folder}; Triton's Python models exchange tensors there."
        return Finding("shared memory", "failed", f"no {folder}", advice)
    usage = shutil.disk_usage(folder)
    found = f"{usage.free / 2**20:.0f} of {usage.total / 2**20:.0f} MiB free in {folder}"
    advice = f"Give {folder} 1 GiB or more: docker run --shm-size=2g, or mount -o remount,size=2g {folder}."
    if usage.free < SHARED_MEMORY_NEEDED:
        return Finding("shared memory", "failed", found, advice)
    if usage.free < SHARED_MEMORY_ADVISED:
        return Finding("shared memory", "warning", f"{found}: large studies fail", advice)
    return Finding("shared memory", "ok", found)


def _precision(repository: Path) -> Iterator[Finding]:
    """Yield what the precision of an export means on this machine, where there is one."""
    exported = precision.exported_precision(repository)
    if precision.slow_precision(repository):
        found = f"{exported} in {repository}: this processor does not compute it in hardware"
        yield Finding("precision", "warning", found, precision.export_again(repository))
    elif exported:
        yield Finding("precision", "ok", f"{exported} in {repository}")


def _port(name: str, port: int, server: str) -> Finding:
    if server:
        return Finding(name, "ok", f"{port}: {server} answers")
    if not _is_taken(port):
        return Finding(name, "ok", f"{port}: free")
    advice = "`panecho serve` takes the next free port and prints it; stop the other program to have this one."
    return Finding(name, "warning", f"{port}: taken by another program", advice)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_SECONDS)
        return probe.connect_ex((HOST, port)) == 0


def _speaks_http2(port: int) -> bool:
    """Tell whether an HTTP/2 server listens, as a gRPC server is: its first frame is SETTINGS (RFC 9113, 3.4)."""
    try:
        with socket.create_connection((HOST, port), _SECONDS) as probe:
            probe.sendall(_HTTP2_PREFACE)
            frame = probe.recv(9)
    except OSError:
        return False
    return frame[3:4] == bytes([_SETTINGS_FRAME])


def _page(port: int, path: str) -> bytes:
    return HttpApi(f"http://{HOST}:{port}", _SECONDS).get(path) or b""
