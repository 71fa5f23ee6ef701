"""Sends an embedded server three times what it can do, and sees whether it stays calm.

python -m load_tests.overload [--seconds 300] [--model-repository PATH] [options of load_tests …]

It finds out what the server can do, offers half of that, then three times that, then half again. Wanted: no crash,
bounded memory, quick refusals that say that the queue is full, right answers to what was accepted, and recovery within
10 s. Writes build/load-test/overload; the exit status is 1 when something wanted is missing.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
from rich.console import Console
from rich.table import Table

from load_tests.outcomes import ANSWERED, GOOD, QUEUE_FULL
from load_tests.run import run_locust
from load_tests.serving import FOLDER, serving
from panecho_server import TritonServer

REPORT = FOLDER / "overload"
SAMPLE_SECONDS = 1.0
MEBIBYTE = 2**20
QUICK_SECONDS = 1.0
RECOVERY_SECONDS = 10.0
GROWTH = 0.05
"""How much of its size the server may still grow by in the second half of the overload."""


@dataclass(frozen=True)
class Check:
    """Something wanted."""

    name: str
    passed: bool
    seen: str


class Memory:
    """Watches the memory of a server and its processes: proportional set sizes, MiB, shared pages counted once."""

    def __init__(self, pid: int) -> None:
        self._main = psutil.Process(pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.samples: list[tuple[float, float]] = []
        self.processes = self._processes()

    def same_processes(self) -> bool:
        """Tell whether no process ended or was replaced."""
        return self._main.is_running() and self._processes() == self.processes

    def growth(self, begin: float, end: float) -> tuple[float, float]:
        """Return the size in the middle of a time, and the largest after."""
        middle = (begin + end) / 2
        first = [size for at, size in self.samples if begin <= at < middle][-5:]
        second = [size for at, size in self.samples if middle <= at <= end]
        return max(first, default=0.0), max(second, default=0.0)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._done.set()
        self._thread.join()

    def _processes(self) -> set[int]:
        return {self._main.pid, *(child.pid for child in self._main.children(recursive=True))}

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            try:
                sizes = [psutil.Process(pid).memory_full_info().pss for pid in self._processes()]
            except psutil.NoSuchProcess:
                continue  # `same_processes` tells
            self.samples.append((time.time(), sum(sizes) / MEBIBYTE))


def main() -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="of the overload")
    parser.add_argument("--model-repository", type=Path, help="exported already; made when left out")
    arguments, others = parser.parse_known_args()
    console = Console(stderr=True, highlight=False)
    with serving(arguments.model_repository, console) as server:
        checks = overload(server, arguments.seconds, others)
    table = Table("wanted", "", "seen")
    for check in checks:
        table.add_row(check.name, "yes" if check.passed else "NO", check.seen)
    Console(highlight=False).print(table)
    return 0 if all(check.passed for check in checks) else 1


def overload(server: TritonServer, seconds: float, options: Sequence[str] = (), report: Path = REPORT) -> list[Check]:
    """Overload a running server on this machine; return what was wanted and seen."""
    if server.pid is None:
        raise RuntimeError("the server is not started.")
    defaults = {
        "LOAD_SHAPE": "overload",
        "LOAD_ARRIVALS": "constant",
        "LOAD_SPIKE_SECONDS": str(seconds),
        "LOAD_REPORT": str(report),
        "LOAD_MAX_UNDER_WAY": "100000",
        "LOAD_DEADLINE": "120",
    }
    with Memory(server.pid) as memory:
        run_locust(f"grpc://{server.grpc_url}", list(options) or ["SingleVideo"], defaults)
        time.sleep(2 * SAMPLE_SECONDS)
        alive = server.is_running() and memory.same_processes()
        ready = alive and all(server.is_ready(model) for model in ("preprocessing", "backbone", "postprocessing"))
    results = json.loads((report / "results.json").read_text())
    seen = "same processes, models ready" if ready else "a process or a model is gone"
    return [Check("no crash", ready, seen), *_checks(results, memory)]


def _checks(results: Mapping[str, Any], memory: Memory) -> list[Check]:
    spike = next(stage for stage in results["stages"] if stage["label"] == "spike")
    middle, largest = memory.growth(spike["begin"], spike["begin"] + spike["seconds"])
    kinds: dict[str, int] = {}
    for of in results["outcomes"].values():
        kinds = {kind: kinds.get(kind, 0) + of.get(kind, 0) for kind in {*kinds, *of}}
    others = {kind: count for kind, count in kinds.items() if kind not in (*GOOD, QUEUE_FULL)}
    refused = spike["rejected_p95"]
    return [
        Check(
            "bounded memory", largest <= middle * (1 + GROWTH), f"{middle:.0f} MiB halfway, then at most {largest:.0f}"
        ),
        Check(
            "refusals say that the queue is full",
            bool(kinds.get(QUEUE_FULL)) and not others,
            f"{kinds.get(QUEUE_FULL, 0)} {QUEUE_FULL}, others {others or 'none'}",
        ),
        Check(
            f"refusals within {QUICK_SECONDS:g} s",
            refused is not None and refused <= QUICK_SECONDS,
            "none" if refused is None else f"p95 {refused:.3f} s",
        ),
        Check(
            "right answers to what is accepted",
            bool(kinds.get(ANSWERED)) and "wrong answer" not in kinds,
            f"{kinds.get(ANSWERED, 0)} answers, each compared with that before the load",
        ),
        Check(
            f"recovered within {RECOVERY_SECONDS:g} s",
            results["recovery_seconds"] <= RECOVERY_SECONDS,
            f"requests were late or failed for {results['recovery_seconds']:.1f} s after",
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
