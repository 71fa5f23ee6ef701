"""Runs a function on inputs in a process of its own, and tells how each call ended, even if the process dies of it."""

import contextlib
import faulthandler
import importlib
import multiprocessing
import os
import resource
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Self, TypeAlias

from panecho_preprocessing import ClipOptions, VideoError, video_clips

Target: TypeAlias = Callable[[bytes, Mapping[str, int | str]], object]

_SPAWN = multiprocessing.get_context("spawn")
_START_S = 120.0
_ADDRESS_SPACE = 4 << 30  # over the memory limit, so that the limit is noticed before allocations fail


class Offence(StrEnum):
    """What must never happen; any other outcome is "ok" or the code of a VideoError."""

    CRASH = "crash"
    HANG = "hang"
    MEMORY = "memory"
    EXCEPTION = "other exception"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """What one input may cost.

    Attributes:
        seconds: of wall-clock time.
        memory: bytes by which the peak resident size may grow.
        inputs: how many one process reads before the next one takes over.
    """

    seconds: float = 5.0
    memory: int = 1 << 30
    inputs: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOutcome:
    """How one call ended.

    Attributes:
        kind: "ok", the code of a VideoError, or an offence.
        detail: for an offence what happened and where; for a VideoError the other exception behind it, if any.
        seconds: how long it took.
        grown: bytes by which the peak resident size grew.
    """

    kind: str
    detail: str = ""
    seconds: float = 0.0
    grown: int = 0


def preprocess(data: bytes, options: Mapping[str, int | str]) -> object:
    """Call what is fuzzed."""
    return video_clips(data, ClipOptions(**options))  # type: ignore[arg-type]  # ClipOptions checks its values


class Worker:
    """One process after another, each for a number of inputs.

    Args:
        target: "module:function" of a `Target`.
        options: what the target is called with besides the bytes.
        limits: what one input may cost.
    """

    def __init__(self, target: str, options: Mapping[str, int | str], limits: CallLimits) -> None:
        self._target, self._options, self._limits = target, dict(options), limits
        self._left = 0
        self._trace: IO[bytes] = tempfile.NamedTemporaryFile()  # noqa: SIM115  # __exit__ closes it
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the process."""
        self._stop()
        self._trace.close()

    def run(self, data: bytes) -> CallOutcome:
        """Call the target once, and wait for how it ends."""
        pipe, start = self._ready(), time.monotonic()
        with contextlib.suppress(OSError):  # a dead process is noticed below
            pipe.send_bytes(data)
        outcome = _received(pipe, self._limits.seconds * 2)  # the process ends itself before that
        if outcome is None:
            outcome = self._autopsy(time.monotonic() - start)
        elif outcome.kind in list(Offence):
            self._stop()
        return outcome

    def _ready(self) -> Connection:
        if self._left == 0 or self._pipe is None:
            self._stop()
            self._start()
        self._left -= 1
        if self._pipe is None:
            raise RuntimeError("the worker has no pipe")
        return self._pipe

    def _start(self) -> None:
        self._trace.truncate(0)
        self._pipe, theirs = _SPAWN.Pipe()
        arguments = (theirs, self._target, self._options, self._limits, self._trace.name)
        self._process = _SPAWN.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        if _received(self._pipe, _START_S) is None:
            self._stop()
            raise RuntimeError(f"no worker could be started for {self._target}")
        self._left = self._limits.inputs

    def _stop(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._pipe, self._process, self._left = None, None, 0

    def _autopsy(self, seconds: float) -> CallOutcome:
        """Tell why the process answers no more."""
        status = None
        if self._process is not None:
            self._process.join(1)
            status = self._process.exitcode
        trace = Path(self._trace.name).read_text(encoding="utf-8", errors="replace")
        self._stop()
        if status is None or "Timeout (" in trace:
            return CallOutcome(kind=Offence.HANG, detail=trace, seconds=seconds)
        ended = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return CallOutcome(kind=Offence.CRASH, detail=f"{ended}\n{trace}", seconds=seconds)


def _received(pipe: Connection, seconds: float) -> CallOutcome | None:
    try:
        outcome = pipe.recv() if pipe.poll(seconds) else None
    except (EOFError, OSError):
        return None
    return outcome if isinstance(outcome, CallOutcome) else None


def _serve(pipe: Connection, target: str, options: Mapping[str, int | str], limits: CallLimits, trace: str) -> None:
    """Be the worker: answer every input with its outcome until the pipe is closed."""
    _silence()
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory + _ADDRESS_SPACE,) * 2)
    module, name = target.split(":")
    function: Target = getattr(importlib.import_module(module), name)
    with Path(trace).open("w", encoding="utf-8") as log, contextlib.suppress(EOFError):
        faulthandler.enable(log)
        pipe.send(CallOutcome(kind="ready"))
        while True:
            data = pipe.recv_bytes()
            faulthandler.dump_traceback_later(limits.seconds, exit=True, file=log)  # works while C code runs, too
            outcome = _call(function, data, options, limits)
            faulthandler.cancel_dump_traceback_later()
            pipe.send(outcome)


def _call(function: Target, data: bytes, options: Mapping[str, int | str], limits: CallLimits) -> CallOutcome:
    before, start = _reset_peak(), time.perf_counter()
    kind, detail = _ending(function, data, options)
    seconds, grown = time.perf_counter() - start, _peak() - before
    if grown > limits.memory:
        kind, detail = Offence.MEMORY, f"grew by {grown / 1e6:.0f} MB, ended as {kind} {detail}"
    return CallOutcome(kind=kind, detail=detail, seconds=seconds, grown=grown)


def _ending(function: Target, data: bytes, options: Mapping[str, int | str]) -> tuple[str, str]:
    try:
        function(data, options)
    except VideoError as error:
        cause = error.__context__
        if isinstance(cause, MemoryError):
            return Offence.MEMORY, _describe(cause)
        return error.code, "" if cause is None or isinstance(cause, VideoError) else _describe(cause)
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is what is looked for
        return Offence.EXCEPTION, _describe(error)
    return "ok", ""


def _describe(error: BaseException) -> str:
    """Name the exception and the last lines it came through."""
    last = traceback.extract_tb(error.__traceback__)[-3:]
    places = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in last)
    return f"{type(error).__name__} at {places}: {str(error)[:200]}"


def _silence() -> None:
    """Throw away what libraries print."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _reset_peak() -> int:
    """Forget the process's peak resident size (man 5 proc, clear_refs); return the size now, in bytes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak()


def _peak() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
