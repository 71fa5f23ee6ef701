"""Watches what the processes of an embedded server hold, while it is under load."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import numpy as np
import psutil

MEBIBYTE = 2**20
SHARED_MEMORY = "/dev/shm/"  # noqa: S108 - where Linux has it
HOUR = 3600


@dataclass(frozen=True)
class Holding:
    """What all processes of a server hold together at one time.

    Attributes:
        at: Seconds since 1970.
        memory: Proportional set sizes, MiB: shared pages are counted once.
        shared_memory: Of that, files in /dev/shm, MiB.
        handles: Open files and sockets.
        threads: Threads.
    """

    at: float
    memory: float
    shared_memory: float
    handles: int
    threads: int


class ProcessMonitor:
    """Watches a server from beginning to end of a ``with``."""

    def __init__(self, pid: int, seconds: float = 1.0) -> None:
        self._main = psutil.Process(pid)
        self._seconds = seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._first = self._processes()
        self.holdings: list[Holding] = []

    def same_processes(self) -> bool:
        """Tell whether no process ended or was replaced."""
        return self._main.is_running() and self._processes() == self._first

    def between(self, begin: float, end: float) -> list[Holding]:
        """Return what was seen in a time."""
        return [holding for holding in self.holdings if begin <= holding.at < end]

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._done.set()
        self._thread.join()

    def _processes(self) -> set[psutil.Process]:
        return {self._main, *self._main.children(recursive=True)}

    def _watch(self) -> None:
        while not self._done.wait(self._seconds):
            with suppress(psutil.NoSuchProcess):  # `same_processes` tells
                self.holdings.append(_holding(self._processes()))


def slope(holdings: list[Holding]) -> float:
    """Return by how many MiB an hour memory grew: a straight line through all."""
    times = np.array([holding.at for holding in holdings])
    sizes = np.array([holding.memory for holding in holdings])
    return float(np.polyfit(times - times[0], sizes, 1)[0]) * HOUR if len(holdings) > 1 else 0.0


def _holding(processes: set[psutil.Process]) -> Holding:
    maps = [(process, mapped) for process in processes for mapped in process.memory_maps(grouped=False)]
    return Holding(
        at=time.time(),
        memory=sum(mapped.pss for _, mapped in maps) / MEBIBYTE,
        shared_memory=sum(mapped.pss for _, mapped in maps if mapped.path.startswith(SHARED_MEMORY)) / MEBIBYTE,
        handles=sum(process.num_fds() for process in processes),
        threads=sum(process.num_threads() for process in processes),
    )
