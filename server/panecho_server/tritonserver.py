"""Starts and stops ``tritonserver`` as a child that never outlives its parent."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import IO, Literal, Self

from panecho_server.backends import LIBRARIES, lay_out_backends, lay_out_python
from panecho_server.command import ServerFolder, tritonserver_options
from panecho_server.errors import CrashError, StartError
from panecho_server.front_door.process import FrontDoor
from panecho_server.front_door.settings import Ports
from panecho_server.http_api import HttpApi
from panecho_server.leftovers import remove_leftovers
from panecho_server.ports import bracketed, require_ports
from panecho_server.processes import environment, kill_group, wait_until_idle
from panecho_server.repository import models_to_load, profile_options
from panecho_server.security import check_security, http_host
from panecho_server.settings import ServerSettings
from panecho_server.shared_memory import SharedMemory
from panecho_server.wheel import check_numpy, check_platform, find_libpython, find_wheel

POLL_SECONDS = 0.2
RESTART_GRACE = 3.0
"""Seconds that a server is given to stop when something in it has died: Triton waits for what never answers."""

START_ATTEMPTS = 3
CRASHES = {-signal.SIGABRT, -signal.SIGBUS, -signal.SIGSEGV}
"""How Triton 24.10 may end under load while its Python backend starts: ``boost::interprocess::lock_exception``."""

LOG_LINES_SHOWN = 15
FAULT = re.compile(r"E[01]|[Ee]rror|\S*tritonserver: ")
"""How a line of the log begins that tells a fault: Triton's errors by date, and what its command line refuses."""


class TritonServer:
    """A running embedded server.

    Example:
        >>> with TritonServer(ServerSettings(grpc_port=0)) as server:  # doctest: +SKIP
        ...     print(server.grpc_url)

    Raises:
        ServingError: On start; its text says what to install or change.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        check_platform()
        self._wheel = find_wheel()
        check_numpy()  # after the wheel: without it, numpy is not what is missing
        self._libpython = find_libpython()
        self._models = models_to_load(settings.model_repository, settings.load)
        self._profile = profile_options(settings.model_repository, settings.profile)
        check_security(settings)
        require_ports({"gRPC": settings.grpc_port, "HTTP": settings.http_port, "metrics": settings.metrics_port})
        self.shared_memory = SharedMemory()
        self._ports = Ports(0, 0, 0)
        self._process: subprocess.Popen[bytes] | None = None
        self._door: FrontDoor | None = None
        self._folder: ServerFolder | None = None
        self._log_mode: Literal["wb", "ab"] = "wb"

    @property
    def grpc_port(self) -> int:
        """Port for gRPC; known once the server is started."""
        return self._ports.grpc

    @property
    def http_port(self) -> int:
        """Port for HTTP; as above."""
        return self._ports.http

    @property
    def metrics_port(self) -> int:
        """Port for metrics; as above. 0 without metrics."""
        return self._ports.metrics

    @property
    def grpc_url(self) -> str:
        """Address for gRPC clients."""
        return f"{bracketed(self.settings.host)}:{self.grpc_port}"

    @property
    def http_url(self) -> str:
        """Address for HTTP clients."""
        return f"{bracketed(http_host(self.settings))}:{self.http_port}"

    @property
    def metrics_url(self) -> str:
        """Address of the metrics."""
        return f"http://{bracketed(self.settings.host)}:{self.metrics_port}/metrics"

    @property
    def _http(self) -> HttpApi:
        return HttpApi(f"http://{self.http_url}")

    @property
    def pid(self) -> int | None:
        """Process id of ``tritonserver``; None before it is started."""
        return self._process.pid if self._process else None

    def start(self, on_progress: Callable[[list[str]], None] = lambda _waiting: None) -> Self:
        """Start the server and wait until every model that it loads is ready; try again where ``tritonserver`` crashes.

        Args:
            on_progress: Called now and then with the names of the models that are not ready yet.

        Raises:
            PortError: A port that was asked for is taken; nothing is left running.
            StartError: The server stopped or took longer than ``ready_timeout``; nothing is left running.
        """
        try:
            for _ in range(START_ATTEMPTS - 1):
                with suppress(CrashError):
                    return self._start_once(on_progress)
                self._stop_tritonserver(RESTART_GRACE)
                self._log_mode = "ab"
            return self._start_once(on_progress)
        except BaseException:
            self.stop()
            raise

    def _start_once(self, on_progress: Callable[[list[str]], None]) -> Self:
        self._start()
        self._wait_until_ready(on_progress)
        self.shared_memory.hide()
        return self

    def _start(self) -> None:
        with self._open_log() as log:
            if self._folder is None:
                remove_leftovers()
                self._folder = ServerFolder(self.shared_memory)
                lay_out_backends(self._folder.backends, self._wheel, self._libpython)
                lay_out_python(self._folder.python)
            door = self._door = self._door if self.is_listening() else self._start_door(self._folder, log)
            self._process = self._start_tritonserver(self._folder, log)
        if door is not None:
            self._ports = door.ports()

    def _open_log(self) -> IO[bytes]:
        path = self.settings.log_file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open(self._log_mode)
        except OSError as error:
            raise StartError(
                f"the log {path} cannot be written: {error.strerror or error}; name another with --log-file."
            ) from None

    def _start_door(self, folder: ServerFolder, log: IO[bytes]) -> FrontDoor:
        ports = {f"{name}_port": port for name, port in self._ports._asdict().items() if port}
        return FrontDoor(folder.door_settings(replace(self.settings, **ports)), log)

    def _start_tritonserver(self, folder: ServerFolder, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        folder.remove_sockets()
        # setpriv: should we be killed, the kernel tells tritonserver to stop.
        start = ["setpriv", "--pdeathsig", "TERM", str(self._wheel.tritonserver)]
        options = tritonserver_options(self.settings, self._models, self._profile, folder)
        return subprocess.Popen(  # noqa: S603 - our own command
            [*start, *self.shared_memory.options(), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(
                folder.python / "bin", [folder.backends / LIBRARIES, self._wheel.libraries, self._libpython.parent]
            ),
            pass_fds=[folder.lock.fileno()],
            start_new_session=True,  # a Ctrl-C in the terminal reaches us alone; we then stop it in order
        )

    def _wait_until_ready(self, on_progress: Callable[[list[str]], None]) -> None:
        deadline = time.monotonic() + self.settings.ready_timeout
        waiting = self._models
        while waiting:
            if not self.is_running():
                crashed = self._process is not None and self._process.returncode in CRASHES
                error = CrashError if crashed else StartError
                raise error(f"tritonserver stopped while starting.{self._log_excerpt()}")
            if time.monotonic() > deadline:
                seconds = self.settings.ready_timeout
                raise StartError(f"not ready after {seconds:.0f} s: {', '.join(waiting)}.{self._log_excerpt()}")
            waiting = [model for model in waiting if not self.is_ready(model)]
            on_progress(waiting)
            time.sleep(POLL_SECONDS if waiting else 0)

    def is_running(self) -> bool:
        """Tell whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    def is_listening(self) -> bool:
        """Tell whether the process lives that listens on the ports."""
        return self._door is not None and self._door.is_running()

    def is_ready(self, model: str) -> bool:
        """Tell whether ``model`` says that it is ready."""
        return self._http.is_ready(model)

    def weights_notice(self) -> str:
        """Return what everybody who reads an output must know of the weights that the running server serves.

        Raises:
            StartError: The server does not answer.
        """
        says = "panecho" if "panecho" in self._models else self._models[0]
        config = self._http.model_config(says)
        if config is None:
            raise StartError(f"{self.http_url} stopped answering right after its start.{self._log_excerpt()}")
        return str(json.loads(config["parameters"]["weights"]["string_value"])["notice"])

    def instances(self) -> dict[str, int]:
        """Return how many processes each Python model should have, of those that say that they are ready."""
        found = {}
        for model in self._models:
            config = self._http.model_config(model)
            if config is not None and self.is_ready(model):
                groups = config.get("instance_group", [])
                found[model] = sum(group["count"] * max(1, len(group.get("gpus", []))) for group in groups)
        return found

    def wait(self) -> int:
        """Wait until the server's process ends; return its exit status."""
        if self._process is None:
            raise StartError("the server was not started.")
        return self._process.wait()

    def restart(self) -> None:
        """Start the server again at its ports after something in it has died; its log goes on.

        Raises:
            StartError: As ``start``.
        """
        self._stop_tritonserver(RESTART_GRACE)
        self._log_mode = "ab"
        self.start()

    def drain(self) -> None:
        """Wait until all studies sent have been answered, at most ``exit_timeout`` s; new ones are answered as well."""
        if self.pid is not None and self.is_running():
            wait_until_idle(self.pid, self.settings.exit_timeout)

    def stop(self) -> None:
        """Let running requests finish, stop the server and all its processes; safe to call twice."""
        self._stop_tritonserver(self.settings.exit_timeout + 10)
        if self._door is not None:
            self._door.stop()
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    def _stop_tritonserver(self, grace: float) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            kill_group(self._process.pid)
            self.shared_memory.remove()

    def _log_excerpt(self) -> str:
        lines = self.settings.log_file.read_text(errors="replace").splitlines()
        faults = [line for line in lines if FAULT.match(line)] or lines
        return "\n  ".join([f" The log, {self.settings.log_file}, says:", *faults[-LOG_LINES_SHOWN:]])

    def __enter__(self) -> Self:
        """Start the server unless it runs already."""
        return self if self.is_running() else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()
