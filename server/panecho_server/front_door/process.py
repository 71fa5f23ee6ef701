"""Starts and stops the front door."""

import json
import select
import subprocess
import sys
from typing import IO

from panecho_server.errors import PortError, StartError
from panecho_server.front_door.settings import DoorSettings, Ports

START_SECONDS = 60.0
STOP_SECONDS = 5.0


class FrontDoor:
    """A running front door; it ends with this process, however this process ends."""

    def __init__(self, settings: DoorSettings, log: IO[bytes]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "panecho_server.front_door", settings.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        self._ports: Ports | None = None

    def ports(self) -> Ports:
        """Wait until it holds its ports, and return them.

        Raises:
            PortError: One that was asked for is taken.
            StartError: It did not start.
        """
        if self._ports is not None:
            return self._ports
        assert self._process.stdout is not None  # noqa: S101 - a pipe, as asked for above
        ready, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            raise StartError("the process that listens for requests did not start; the log says why.")
        answer = json.loads(line)
        if "error" in answer:
            raise PortError(answer["error"])
        self._ports = Ports(**answer)
        return self._ports

    def is_running(self) -> bool:
        """Tell whether the process lives."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Let the last answers go out and end the process; safe to call twice."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
