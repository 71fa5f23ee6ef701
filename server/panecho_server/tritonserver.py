"""Starts and stops ``tritonserver`` as a child that never outlives its parent."""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Self

from panecho_server.backends import LIBRARIES, lay_out_backends
from panecho_server.errors import StartError
from panecho_server.ports import choose_port
from panecho_server.repository import models_to_load
from panecho_server.settings import DEFAULT_GRPC_PORT, DEFAULT_HTTP_PORT, DEFAULT_METRICS_PORT, Settings
from panecho_server.wheel import check_numpy, check_platform, find_libpython, find_wheel

POLL_SECONDS = 0.2
KILL_SECONDS = 5
LOG_LINES_SHOWN = 15
FAULT = re.compile(r"E[01]|[Ee]rror|\S*tritonserver: ")
"""How a line of the log begins that tells a fault: Triton's errors by date, and what its command line refuses."""

THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


class TritonServer:
    """A running embedded server.

    Example:
        >>> with TritonServer(Settings(grpc_port=0)) as server:  # doctest: +SKIP
        ...     print(server.grpc_url)

    Raises:
        ServerError: On start; its text says what to install or change.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        check_platform()
        check_numpy()
        self._wheel = find_wheel()
        self._libpython = find_libpython()
        self._models = models_to_load(settings.model_repository, settings.load)
        if settings.model_control and settings.host not in THIS_MACHINE:
            raise StartError(
                f"model control on {settings.host} would let everybody there run code on this machine; load models "
                "at start with --load, or restrict the API with a key of yours in `options`."
            )
        host = settings.host
        self.http_port = choose_port(host, settings.http_port, DEFAULT_HTTP_PORT)
        self.grpc_port = choose_port(host, settings.grpc_port, DEFAULT_GRPC_PORT, {self.http_port})
        chosen = {self.http_port, self.grpc_port}
        self.metrics_port = choose_port(host, settings.metrics_port, DEFAULT_METRICS_PORT, chosen)
        self._process: subprocess.Popen[bytes] | None = None
        self._backends: Path | None = None

    @property
    def grpc_url(self) -> str:
        """Address for gRPC clients."""
        return f"{self.settings.host}:{self.grpc_port}"

    @property
    def http_url(self) -> str:
        """Address for HTTP clients."""
        return f"{self.settings.host}:{self.http_port}"

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
            with self.settings.log_file.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own command
                    self._command(self._backends),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=_environment([self._backends / LIBRARIES, self._wheel.libraries, self._libpython.parent]),
                    start_new_session=True,  # a Ctrl-C in the terminal reaches us alone; we then stop it in order
                )
            self._wait_until_ready(on_progress)
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
            "http-address": self.settings.host,
            "grpc-address": self.settings.host,
            "metrics-address": self.settings.host,
            "http-port": self.http_port,
            "grpc-port": self.grpc_port,
            "metrics-port": self.metrics_port,
            "exit-timeout-secs": self.settings.exit_timeout,
            "model-control-mode": "explicit",
            **_restrictions(model_control=self.settings.model_control),
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
        try:
            with self._get(f"v2/models/{model}/ready") as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def _get(self, path: str) -> HTTPResponse:
        """Ask the server itself: a proxy of the environment must not come between."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        answer: HTTPResponse = opener.open(f"http://{self.http_url}/{path}", timeout=5)
        return answer

    def weights_notice(self) -> str:
        """Return what everybody who reads an output must know of the weights that the running server serves."""
        says = "panecho" if "panecho" in self._models else self._models[0]
        with self._get(f"v2/models/{says}/config") as answer:
            parameters = json.load(answer)["parameters"]
        return str(json.loads(parameters["weights"]["string_value"])["notice"])

    def wait(self) -> int:
        """Wait until the server's process ends by itself; return its exit status."""
        if self._process is None:
            raise StartError("the server was not started.")
        return self._process.wait()

    def stop(self) -> None:
        """Let running requests finish, stop the server and all its processes; safe to call twice."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(self.settings.exit_timeout + 10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            finally:
                _kill_group(self._process.pid)
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


def _restrictions(*, model_control: bool) -> dict[str, str]:
    """Return options that close the model repository API: it takes new models too, and so code to run.

    HTTP is closed always: a web page in a browser on this machine could send such a request.
    """
    restriction = f"model-repository:key={secrets.token_urlsafe()}"
    closed = {"http-restricted-api": restriction}
    return closed if model_control else closed | {"grpc-restricted-protocol": restriction}


def _environment(libraries: list[Path]) -> dict[str, str]:
    """Return the environment in which the Python models find this virtual environment and their libraries.

    Threads of the backbone that wait for each other sleep: OpenMP's default is to keep their cores busy, which others,
    such as preprocessing, then lack (measured with others' load: 2.98 s instead of 0.84 s for a clip).
    """
    search = [*map(str, libraries), os.environ.get("LD_LIBRARY_PATH", "")]
    path = f"{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    ours = {"PATH": path, "LD_LIBRARY_PATH": ":".join(filter(None, search))}
    return {"OMP_WAIT_POLICY": "passive"} | os.environ | ours


def _kill_group(group: int) -> None:
    """Kill what is left of the server's processes, normally nothing, and wait until it is gone."""
    deadline = time.monotonic() + KILL_SECONDS
    try:
        while time.monotonic() < deadline:
            os.killpg(group, signal.SIGKILL)
            time.sleep(POLL_SECONDS / 4)
    except ProcessLookupError:
        return
