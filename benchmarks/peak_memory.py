"""The most memory that one variant takes: each runs once, in a separate process."""

import multiprocessing
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

import cv2
import psutil

from benchmarks.alternatives import variants
from benchmarks.cines import SampleCine

_SAMPLE_EVERY_S = 0.002


@dataclass(frozen=True, slots=True)
class Peak:
    """Megabytes (10^6 bytes) beyond the imports and the file itself.

    Attributes:
        own: grown in the process that makes the clips.
        tools: the peak of the largest program that it started, such as ffmpeg; not of the same instant.
    """

    own: float
    tools: float

    def __str__(self) -> str:
        """Show both where there are both."""
        return f"{self.own:.0f} + {self.tools:.0f}" if self.tools else f"{self.own:.0f}"


def peak_memory(variant: str, cine: SampleCine, num_clips: int) -> Peak:
    """Run a variant once in a new process, in one thread."""
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_measure, args=(sender, variant, cine, num_clips))
    process.start()
    sender.close()
    try:
        peak = receiver.recv()
    finally:
        process.join()
    if not isinstance(peak, Peak):
        raise TypeError(f"{variant} in a separate process answered with {peak!r}")
    return peak


def _measure(sender: Connection, variant: str, cine: SampleCine, num_clips: int) -> None:
    cv2.setNumThreads(1)
    with _Tools() as tools:
        before = _high_water("self")
        variants(cine.suffix)[variant](cine, num_clips)
        grown = _high_water("self") - before
    sender.send(Peak(grown / 1e6, tools.highest / 1e6))


class _Tools:
    """Watches the programs that this process starts. Linux keeps each one's peak only while it runs."""

    def __init__(self) -> None:
        self.highest = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._done.wait(_SAMPLE_EVERY_S):
            self.highest = max([self.highest, *(_high_water(str(child.pid)) for child in own.children())])


def _high_water(process: str) -> int:
    """Return the peak resident size in bytes, 0 if the process has ended.

    Not getrusage's: that of a child begins at the size of the process which started it.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    kilobytes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kilobytes[0]) * 1024 if kilobytes else 0
