"""What a load test of an embedded server wants, and whether it saw it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from load_tests.embedded.process_monitor import ProcessMonitor
from panecho_server import TritonServer

MODELS = ("preprocessing", "backbone", "postprocessing")


@dataclass(frozen=True)
class Expectation:
    """Something that must be true after a load test."""

    name: str
    passed: bool
    seen: str


def exit_status(checks: Sequence[Expectation]) -> int:
    """Print them; return 1 when one is missing."""
    table = Table("expected", "", "seen")
    for check in checks:
        table.add_row(check.name, "yes" if check.passed else "NO", check.seen)
    Console(highlight=False).print(table)
    return 0 if all(check.passed for check in checks) else 1


def no_crash(server: TritonServer, watch: ProcessMonitor) -> Expectation:
    """Check that the server's processes are those that it began with, and its models ready."""
    alive = server.is_running() and watch.same_processes()
    ready = alive and all(server.is_ready(model) for model in MODELS)
    return Expectation("no crash", ready, "same processes, models ready" if ready else "a process or a model is gone")


def count_outcomes(results: Mapping[str, Any]) -> dict[str, int]:
    """Return how many requests of all scenarios ended in each way."""
    kinds: dict[str, int] = {}
    for of in results["outcomes"].values():
        kinds = {kind: kinds.get(kind, 0) + of.get(kind, 0) for kind in {*kinds, *of}}
    return kinds
