"""The processes of a server: ``tritonserver``, which leads a session, and one per instance of a Python model."""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

KILL_SECONDS = 5

IDLE_SECONDS = 0.2
IDLE_LOAD = 0.1
IDLE_SAMPLES = 3
"""Processes are idle that use less than IDLE_LOAD of a core in IDLE_SAMPLES samples of IDLE_SECONDS."""

NOT_RUNNING = ("Z", "T", "t", "X")
"""States of proc(5) in which a process does nothing: ended and not collected, or stopped."""


def environment(commands: Path, libraries: list[Path]) -> dict[str, str]:
    """Return the environment in which the Python models find their packages and libraries.

    Threads of the backbone that wait for each other sleep: OpenMP's default is to keep their cores busy, which others,
    such as preprocessing, then lack (measured with others' load: 2.98 s instead of 0.84 s for a clip).

    Args:
        commands: The ``bin`` folder of the models' virtual environment.
        libraries: Folders of shared libraries.
    """
    search = [*map(str, libraries), os.environ.get("LD_LIBRARY_PATH", "")]
    path = f"{commands}:{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    ours = {"PATH": path, "LD_LIBRARY_PATH": ":".join(filter(None, search))}
    return {"OMP_WAIT_POLICY": "passive"} | os.environ | ours


def kill_group(group: int) -> None:
    """Kill what is left of the server's processes, normally nothing, and wait until it is gone."""
    deadline = time.monotonic() + KILL_SECONDS
    try:
        while time.monotonic() < deadline:
            os.killpg(group, signal.SIGKILL)
            time.sleep(0.05)
    except ProcessLookupError:
        return


def wait_until_idle(session: int, seconds: float) -> None:
    """Wait until the processes of a session have nothing to compute, at most ``seconds``.

    Triton does not tell which requests it is answering, and once it has to stop it refuses a study that is between
    two of its models; so what its processes compute has to tell.
    """
    deadline = time.monotonic() + seconds
    idle = 0
    while idle < IDLE_SAMPLES and time.monotonic() < deadline:
        before = _cpu_seconds(session)
        time.sleep(IDLE_SECONDS)
        idle = idle + 1 if _cpu_seconds(session) - before < IDLE_SECONDS * IDLE_LOAD else 0


def _cpu_seconds(session: int) -> float:
    return sum(sum(map(int, words[11:13])) for _, words in _session(session)) / os.sysconf("SC_CLK_TCK")


def _session(session: int) -> Iterator[tuple[Path, list[str]]]:
    """Yield the processes of a session: folder, and fields of proc(5)'s stat from the state on."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError):  # it has just ended
            if folder.name.isdecimal() and os.getsid(int(folder.name)) == session:
                yield folder, (folder / "stat").read_text().rpartition(")")[2].split()


def model_processes(session: int) -> Counter[str]:
    """Return how many processes run each Python model of a server, by the session that it leads."""
    found: Counter[str] = Counter()
    for folder, (state, *_) in _session(session):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if state not in NOT_RUNNING and words[0].endswith(b"triton_python_backend_stub"):
                found[Path(os.fsdecode(words[1])).parents[1].name] += 1  # REPOSITORY/MODEL/VERSION/FILE
    return found
