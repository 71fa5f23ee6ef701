"""Keeps a server answering.

Triton does not restart the process of a Python model that has died, and still says that the model is ready; each
request that needs it fails (python_backend; seen in 24.10). So the processes are counted here, and the whole server
restarts when one is missing, or when ``tritonserver`` or the front door has ended.
"""

import time
from collections.abc import Callable
from typing import NoReturn

from panecho_server.errors import ServingError
from panecho_server.processes import model_processes
from panecho_server.tritonserver import TritonServer

POLL_SECONDS = 1.0
RESTARTS = 5
RESTART_WINDOW = 600.0
"""Give up after RESTARTS restarts within RESTART_WINDOW seconds."""


def supervise(server: TritonServer, on_event: Callable[[str], None]) -> NoReturn:
    """Start a running server again whenever it, or a process of one of its models, has died; until interrupted.

    Args:
        server: A started server.
        on_event: Called with what happened, and when the server is ready again.

    Raises:
        ServingError: It died too often.
        StartError: It does not start again.
    """
    restarts: list[float] = []
    while True:
        reason = wait_for_death(server)
        restarts = [at for at in restarts if time.monotonic() - at < RESTART_WINDOW] + [time.monotonic()]
        if len(restarts) > RESTARTS:
            raise ServingError(
                f"{reason}, for the {len(restarts)}th time within minutes; see {server.settings.log_file}."
            )
        on_event(f"{reason}; starting the server again.")
        started = time.monotonic()
        server.restart()
        on_event(f"Every model is ready again after {time.monotonic() - started:.0f} s.")


def wait_for_death(server: TritonServer) -> str:
    """Return what has died, once something has."""
    suspected: set[str] = set()
    while server.is_running():
        if not server.is_listening():
            return "the process that listens for requests has died"
        dead = dead_models(server)
        if dead & suspected:  # seen twice: a model that is being unloaded is neither ready nor complete for long
            return f"a process of the model {', '.join(sorted(dead & suspected))} has died"
        suspected = dead
        time.sleep(POLL_SECONDS)
    return f"tritonserver ended unexpectedly with status {server.wait()}"


def dead_models(server: TritonServer) -> set[str]:
    """Return the models that say they are ready and have fewer processes than instances."""
    if server.pid is None:
        return set()
    processes = model_processes(server.pid)
    return {model for model, count in server.instances().items() if processes[model] < count}
