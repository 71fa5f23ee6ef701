"""Sends an embedded server three times what it can do, and sees whether it stays calm.

python -m load_tests.overload [--seconds 300] [--model-repository PATH] [options of load_tests …]

It finds out what the server can do, offers half of that, then three times that, then half again. Expected: no crash,
bounded memory, quick refusals that say that the queue is full, right answers to what was accepted, and recovery within
10 s. Writes build/load-test/overload; the exit status is 1 when something expected is missing.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from load_tests.embedded.checks import Expectation, count_outcomes, exit_status, no_crash
from load_tests.embedded.process_monitor import ProcessMonitor
from load_tests.embedded.serving import FOLDER, serving
from load_tests.requests.outcomes import ANSWERED, GOOD, QUEUE_FULL
from load_tests.run import run_locust
from panecho_server import TritonServer

REPORT = FOLDER / "overload"
SETTLE_SECONDS = 2.0
QUICK_SECONDS = 1.0
RECOVERY_SECONDS = 10.0
GROWTH = 0.05
"""How much of its size the server may still grow by in the second half of the overload."""


def main() -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="of the overload")
    parser.add_argument("--model-repository", type=Path, help="exported already; made when left out")
    arguments, others = parser.parse_known_args()
    console = Console(stderr=True, highlight=False)
    with serving(arguments.model_repository, console) as server:
        checks = overload(server, arguments.seconds, others)
    return exit_status(checks)


def overload(
    server: TritonServer, seconds: float, options: Sequence[str] = (), report: Path = REPORT
) -> list[Expectation]:
    """Overload a running server on this machine; return what was expected and seen."""
    if server.pid is None:
        raise RuntimeError("the server is not started.")
    defaults = {
        "LOAD_SHAPE": "overload",
        "LOAD_ARRIVALS": "constant",
        "LOAD_SPIKE_SECONDS": str(seconds),
        "LOAD_REPORT": str(report),
        "LOAD_MAX_IN_PROGRESS": "100000",
        "LOAD_DEADLINE": "120",
    }
    with ProcessMonitor(server.pid) as watch:
        run_locust(f"grpc://{server.grpc_url}", list(options) or ["SingleVideo"], defaults)
        time.sleep(SETTLE_SECONDS)
        unharmed = no_crash(server, watch)
    return [unharmed, *_checks(json.loads((report / "results.json").read_text()), watch)]


def _checks(results: Mapping[str, Any], watch: ProcessMonitor) -> list[Expectation]:
    spike = next(stage for stage in results["stages"] if stage["label"] == "spike")
    middle, largest = _growth(watch, spike["begin"], spike["begin"] + spike["seconds"])
    kinds = count_outcomes(results)
    others = {kind: count for kind, count in kinds.items() if kind not in (*GOOD, QUEUE_FULL)}
    refused = spike["rejected_p95"]
    return [
        Expectation(
            "bounded memory", largest <= middle * (1 + GROWTH), f"{middle:.0f} MiB halfway, then at most {largest:.0f}"
        ),
        Expectation(
            "refusals say that the queue is full",
            bool(kinds.get(QUEUE_FULL)) and not others,
            f"{kinds.get(QUEUE_FULL, 0)} {QUEUE_FULL}, others {others or 'none'}",
        ),
        Expectation(
            f"refusals within {QUICK_SECONDS:g} s",
            refused is not None and refused <= QUICK_SECONDS,
            "none" if refused is None else f"p95 {refused:.3f} s",
        ),
        Expectation(
            "right answers to what is accepted",
            bool(kinds.get(ANSWERED)) and "wrong answer" not in kinds,
            f"{kinds.get(ANSWERED, 0)} answers, each compared with that before the load",
        ),
        Expectation(
            f"recovered within {RECOVERY_SECONDS:g} s",
            results["recovery_seconds"] <= RECOVERY_SECONDS,
            f"requests were late or failed for {results['recovery_seconds']:.1f} s after",
        ),
    ]


def _growth(watch: ProcessMonitor, begin: float, end: float) -> tuple[float, float]:
    """Return the memory in the middle of a time, and the largest after, MiB."""
    middle = (begin + end) / 2
    first = [holding.memory for holding in watch.between(begin, middle)[-5:]]
    second = [holding.memory for holding in watch.between(middle, end)]
    return max(first, default=0.0), max(second, default=0.0)


if __name__ == "__main__":
    sys.exit(main())
