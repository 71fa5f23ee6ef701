"""The command line of ``tritonserver``, and where it listens: Unix sockets that only its user can reach."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from panecho_server.front_door.settings import DoorSettings, PortChoice
from panecho_server.leftovers import FOLDER_PREFIX, hold
from panecho_server.security import closed_apis, http_host
from panecho_server.settings import DEFAULT_GRPC_PORT, DEFAULT_HTTP_PORT, DEFAULT_METRICS_PORT, ServerSettings
from panecho_server.shared_memory import SharedMemory

SOCKET_PORT = 1
"""Triton appends it to an address; as part of a file's name it means nothing."""

MAX_SOCKET_PATH = 107
"""Bytes, of Linux: unix(7)."""


class ServerFolder:
    """A folder of one running server that only its user can enter: backends and sockets.

    Attributes:
        backends: What goes to ``--backend-directory``.
        python: Virtual environment of the Python models.
        lock: File that tells other servers that this one lives; its processes inherit it.

    Args:
        memory: The server's shared memory.
    """

    def __init__(self, memory: SharedMemory) -> None:
        path = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        if len(bytes(path / "metrics")) > MAX_SOCKET_PATH:  # TMPDIR is deep
            path.rmdir()
            path = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir="/tmp"))
        self.path = path
        self.lock = hold(path, memory)
        self.backends = path / "backends"
        self.python = path / "python"

    @property
    def addresses(self) -> dict[str, object]:
        """Options of ``tritonserver`` for where it listens."""
        names = ("grpc", "http", "metrics")
        return {f"{name}-address": f"unix:{self.path / name}" for name in names} | {
            f"{name}-port": SOCKET_PORT for name in names
        }

    def remove_sockets(self) -> None:
        """Remove the sockets of a server that was killed: the next one cannot listen where a file is."""
        for path in self.path.iterdir():
            if path.is_socket():
                path.unlink()

    def remove(self) -> None:
        """Remove the folder of a server that has stopped."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.lock.close()

    def door_settings(self, settings: ServerSettings) -> DoorSettings:
        """Return what the front door needs to know."""
        has_metrics = settings.options.get("allow-metrics", "true").lower() not in ("false", "0")
        return DoorSettings(
            host=settings.host,
            http_host=http_host(settings),
            grpc=PortChoice(settings.grpc_port, DEFAULT_GRPC_PORT),
            http=PortChoice(settings.http_port, DEFAULT_HTTP_PORT),
            metrics=PortChoice(settings.metrics_port, DEFAULT_METRICS_PORT) if has_metrics else None,
            grpc_socket=f"{self.path / 'grpc'}:{SOCKET_PORT}",
            http_socket=str(self.path / "http"),
            metrics_socket=str(self.path / "metrics"),
            tls_certificate=str(settings.tls_certificate or ""),
            tls_key=str(settings.tls_key or ""),
            tls_client_ca=str(settings.tls_client_ca or ""),
        )


def tritonserver_options(
    settings: ServerSettings, models: Sequence[str], profile: dict[str, str], folder: ServerFolder
) -> list[str]:
    """Return the options of ``tritonserver``; those of ``settings.options`` come last and win."""
    options: dict[str, object] = {
        "model-repository": settings.model_repository,
        "backend-directory": folder.backends,
        "exit-timeout-secs": settings.exit_timeout,
        "model-control-mode": "explicit",
        **folder.addresses,
        **profile,
        **closed_apis(settings),
        **settings.options,
    }
    load = [f"--load-model={model}" for model in models]
    return ["--disable-auto-complete-config", *load, *(f"--{name}={value}" for name, value in options.items())]
