"""Keeps a service busy with a fixed number of callers, and counts."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Load:
    """What callers saw of a service.

    Attributes:
        latencies: Seconds of each request that was answered.
        seconds: How long it took from the first request to the last answer.
    """

    latencies: Sequence[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def throughput(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Return a percentile of the latencies, in seconds."""
        return float(np.percentile(self.latencies, percent))

    def __add__(self, other: "Load") -> "Load":
        """Return both together, one after the other."""
        return Load([*self.latencies, *other.latencies], self.seconds + other.seconds)


def keep_busy(call: Callable[[], object], callers: int, seconds: float) -> Load:
    """Have each caller send its next request as soon as the last is answered, for a time; every one is waited for."""
    latencies: list[float] = []
    started = time.perf_counter()

    def work() -> None:
        while time.perf_counter() - started < seconds:
            sent = time.perf_counter()
            call()
            latencies.append(time.perf_counter() - sent)

    threads = [threading.Thread(target=work) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(latencies, time.perf_counter() - started)
