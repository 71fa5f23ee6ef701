"""Keeps an embedded server at work for half an hour, bad files among the good, and sees whether anything grows.

python -m load_tests.soak [--minutes 30] [--rate 1] [--model-repository PATH] [options of load_tests …]

Requests come at random (Poisson), a twentieth with unusable files. Expected: no crash, right answers, and that memory,
shared memory, open files and latency stay as they are. Writes build/load-test/soak; the exit status is 1 when something
expected is missing.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from load_tests.embedded.checks import Expectation, count_outcomes, exit_status, no_crash
from load_tests.embedded.process_monitor import Holding, ProcessMonitor, slope
from load_tests.embedded.serving import FOLDER, serving
from load_tests.report.results import write_results
from load_tests.requests.outcomes import ANSWERED, GOOD, REFUSED_AS_EXPECTED
from load_tests.run import run_locust
from panecho_server import TritonServer

REPORT = FOLDER / "soak"
BAD_RATIO = 0.05
SAMPLE_SECONDS = 5.0
STAGES = 30
GROWTH = 0.05
"""How much of its size anything may grow by from the first half to the second."""

MORE = {"memory": 0.0, "shared_memory": 8.0, "handles": 8.0}
"""What may come on top, MiB or number: room that a larger request than those before has touched; connections."""

DRIFT = 1.25
"""How many times the median latency of the first third that of the last may be."""


def main() -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=1.0, help="requests per second: about half of what it can do")
    parser.add_argument("--model-repository", type=Path, help="exported already; made when left out")
    arguments, others = parser.parse_known_args()
    with serving(arguments.model_repository, Console(stderr=True, highlight=False)) as server:
        checks = soak(server, arguments.minutes * 60, arguments.rate, others)
    return exit_status(checks)


def soak(
    server: TritonServer, seconds: float, rate: float, options: Sequence[str] = (), report: Path = REPORT
) -> list[Expectation]:
    """Keep a running server on this machine at work; return what was expected and seen."""
    if server.pid is None:
        raise RuntimeError("the server is not started.")
    defaults = {
        "LOAD_SHAPE": "soak",
        "LOAD_ARRIVALS": "poisson",
        "LOAD_RATE": str(rate),
        "LOAD_STAGES": str(STAGES),
        "LOAD_STAGE_SECONDS": str(seconds / STAGES),
        "LOAD_BAD_RATIO": str(BAD_RATIO),
        "LOAD_REPORT": str(report),
    }
    with ProcessMonitor(server.pid, min(SAMPLE_SECONDS, seconds / STAGES)) as watch:
        run_locust(f"grpc://{server.grpc_url}", list(options) or ["Mixed"], defaults)
        unharmed = no_crash(server, watch)
    results = json.loads((report / "results.json").read_text())
    begin, end = results["stages"][0]["begin"], results["stages"][-1]["begin"] + results["stages"][-1]["seconds"]
    holdings = watch.between(begin, end)
    results["server"] = [asdict(holding) | {"at": holding.at - begin} for holding in holdings]
    write_results(results, report)
    return [unharmed, _answers(results), *_holdings(holdings), _latency(results)]


def _answers(results: Mapping[str, Any]) -> Expectation:
    kinds = count_outcomes(results)
    others = {kind: count for kind, count in kinds.items() if kind not in GOOD}
    seen = f"{kinds.get(ANSWERED, 0)} answered, {kinds.get(REFUSED_AS_EXPECTED, 0)} refused, others {others or 'none'}"
    return Expectation("right answers; unusable files refused", bool(kinds.get(ANSWERED)) and not others, seen)


def _holdings(holdings: list[Holding]) -> list[Expectation]:
    """Compare the largest of the second half with the largest of the first."""
    first, second = holdings[: len(holdings) // 2], holdings[len(holdings) // 2 :]
    return [_steady(field, first, second) for field in MORE]


def _steady(field: str, first: list[Holding], second: list[Holding]) -> Expectation:
    before, after = (max(getattr(holding, field) for holding in half) for half in (first, second))
    seen = f"at most {before:.0f} in the first half, {after:.0f} in the second"
    growth = f", {slope(second):+.0f} an hour; MiB" if field == "memory" else ""
    passed = after <= before * (1 + GROWTH) + MORE[field]
    return Expectation(f"{field.replace('_', ' ')}: no growth", passed, seen + growth)


def _latency(results: Mapping[str, Any]) -> Expectation:
    medians = [stage["p50"] for stage in results["stages"] if stage["p50"] is not None]
    third = max(1, len(medians) // 3)
    first, last = (statistics.median(of) for of in (medians[:third], medians[-third:]))
    seen = f"median {first:.3f} s in the first third, {last:.3f} s in the last"
    return Expectation("latency: no drift", last <= first * DRIFT, seen)


if __name__ == "__main__":
    sys.exit(main())
