"""Starts and stops ``tritonserver`` as a child that never outlives its parent."""

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from panecho_server.backends import LIBRARIES, lay_out_backends
from panecho_server.errors import StartError
from panecho_server.http_api import HttpApi
from panecho_server.ports import choose_port
from panecho_server.processes import environment, kill_group, wait_until_idle
from panecho_server.repository import models_to_load, profile_options
from panecho_server.security import check_security, closed_apis, http_host, tls_options
from panecho_server.settings import DEFAULT_GRPC_PORT, DEFAULT_HTTP_PORT, DEFAULT_METRICS_PORT, ServerSettings
from panecho_server.shared_memory import hide, regions_of, remove
from panecho_server.wheel import check_numpy, check_platform, find_libpython, find_wheel

POLL_SECONDS = 0.2
RESTART_GRACE = 3.0
"""Seconds that a server is given to stop when something in it has died: Triton waits for what never answers."""

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
        check_numpy()
        self._wheel = find_wheel()
        self._libpython = find_libpython()
        self._models = models_to_load(settings.model_repository, settings.load)
        self._profile = profile_options(settings.model_repository, settings.profile)
        check_security(settings)
        host = settings.host
        self.http_host = http_host(settings)
        self.http_port = choose_port(self.http_host, settings.http_port, DEFAULT_HTTP_PORT)
        self.grpc_port = choose_port(host, settings.grpc_port, DEFAULT_GRPC_PORT, {self.http_port})
        chosen = {self.http_port, self.grpc_port}
        self.metrics_port = choose_port(host, settings.metrics_port, DEFAULT_METRICS_PORT, chosen)
        self._http = HttpApi(f"http://{self.http_url}")
        self._process: subprocess.Popen[bytes] | None = None
        self._backends: Path | None = None
        self._regions: set[Path] = set()
        self._log_mode: Literal["wb", "ab"] = "wb"

    @property
    def grpc_url(self) -> str:
        """Address for gRPC clients."""
        return f"{self.settings.host}:{self.grpc_port}"

    @property
    def http_url(self) -> str:
        """Address for HTTP clients."""
        return f"{self.http_host}:{self.http_port}"

    @property
    def pid(self) -> int | None:
        """Process id of ``tritonserver``; None before it is started."""
        return self._process.pid if self._process else None

    def start(self, on_progress: Callable[[list[str]], None] = lambda _waiting: None) -> Self:
        """Start the server and wait until every model that it loads is ready.

        Args:
            on_progress: Called now and then with the names of the models that are not ready yet.

        Raises:
            StartError: The server stopped or took longer than ``ready_timeout``; nothing is left running.
        """
        self._backends = Path(tempfile.mkdtemp(prefix="panecho-backends-"))
        lay_out_backends(self._backends, self._wheel, self._libpython)
        self.settings.log_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.settings.log_file.open(self._log_mode) as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own command
                    self._command(self._backends),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment([self._backends / LIBRARIES, self._wheel.libraries, self._libpython.parent]),
                    start_new_session=True,  # a Ctrl-C in the terminal reaches us alone; we then stop it in order
                )
            self._wait_until_ready(on_progress)
            self._regions = regions_of(self._process.pid)
            hide(self._regions)
        except BaseException:
            self.stop()
            raise
        return self

    def _command(self, backends: Path) -> list[str]:
        # setpriv: should we be killed, the kernel tells tritonserver to stop.
        start = ["setpriv", "--pdeathsig", "TERM", str(self._wheel.tritonserver), "--disable-auto-complete-config"]
        load = [f"--load-model={model}" for model in self._models]
        return start + load + [f"--{name}={value}" for name, value in self._options(backends).items()]

    def _options(self, backends: Path) -> dict[str, object]:
        return {
            "model-repository": self.settings.model_repository,
            "backend-directory": backends,
            "http-address": self.http_host,
            "grpc-address": self.settings.host,
            "metrics-address": self.settings.host,
            "http-port": self.http_port,
            "grpc-port": self.grpc_port,
            "metrics-port": self.metrics_port,
            "exit-timeout-secs": self.settings.exit_timeout,
            "model-control-mode": "explicit",
            **self._profile,
            **closed_apis(self.settings),
            **tls_options(self.settings),
            **self.settings.options,
        }

    def _wait_until_ready(self, on_progress: Callable[[list[str]], None]) -> None:
        deadline = time.monotonic() + self.settings.ready_timeout
        waiting = self._models
        while waiting:
            if not self.is_running():
                raise StartError(f"tritonserver stopped while starting.{self._log_excerpt()}")
            if time.monotonic() > deadline:
                seconds = self.settings.ready_timeout
                raise StartError(f"not ready after {seconds:.0f} s: {', '.join(waiting)}.{self._log_excerpt()}")
            waiting = [model for model in waiting if not self.is_ready(model)]
            on_progress(waiting)
            time.sleep(POLL_SECONDS if waiting else 0)

    def is_running(self) -> bool:
        """Tell whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

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
        """Wait until the server's process ends by itself; return its exit status."""
        if self._process is None:
            raise StartError("the server was not started.")
        return self._process.wait()

    def restart(self) -> None:
        """Start the server again at its ports after something in it has died; its log goes on.

        Raises:
            StartError: As ``start``.
        """
        self._stop(RESTART_GRACE)
        self._log_mode = "ab"
        self.start()

    def drain(self) -> None:
        """Wait until all studies sent have been answered, at most ``exit_timeout`` s; new ones are answered as well."""
        if self.pid is not None and self.is_running():
            wait_until_idle(self.pid, self.settings.exit_timeout)

    def stop(self) -> None:
        """Let running requests finish, stop the server and all its processes; safe to call twice."""
        self._stop(self.settings.exit_timeout + 10)

    def _stop(self, grace: float) -> None:
        if self._process is not None:
            self._regions |= regions_of(self._process.pid)
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            finally:
                kill_group(self._process.pid)
                remove(self._regions)
        if self._backends is not None:
            shutil.rmtree(self._backends, ignore_errors=True)

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
