"""Prints how two load tests differ.

python -m load_tests.compare BEFORE.json AFTER.json
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from load_tests.report.results import FORMAT
from load_tests.requests.errors import LoadTestError

SAME_LOAD = 0.1
"""Stages are set side by side whose loads differ by no more than this part."""

Row = tuple[str, float | None, float | None]


def main() -> int:
    """Compare; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="results.json of a run")
    parser.add_argument("after", type=Path, help="results.json of another")
    arguments = parser.parse_args()
    try:
        before, after = read_results(arguments.before), read_results(arguments.after)
    except LoadTestError as error:
        print(f"compare: {error}", file=sys.stderr)  # noqa: T201 - for the person who runs it
        return 1
    console = Console(highlight=False)
    for warning in different_tests(before, after):
        console.print(f"[bold]Not the same test:[/] {warning}")
    console.print(as_table(compare(before, after)))
    return 0


def read_results(path: Path) -> dict[str, Any]:
    """Read a run's results.

    Raises:
        LoadTestError: The file holds none.
    """
    try:
        results: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise LoadTestError(f"{path}: {error}; give a results.json that a load test wrote.") from None
    if not isinstance(results, dict) or results.get("format") != FORMAT:
        raise LoadTestError(f"{path}: not results of format {FORMAT}; run the load test again with this version.")
    return results


def different_tests(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Say what was different about the tests themselves: then their numbers tell little."""
    first, second = before["about"], after["about"]
    pairs = [(name, first[name], second[name]) for name in ("scenarios", "processes", "load_generator")]
    pairs += [(name, value, second["options"].get(name)) for name, value in first["options"].items()]
    pairs.append(("thresholds", before["thresholds"]["sustained"], after["thresholds"]["sustained"]))
    return [f"{name} {one} before, {other} after" for name, one, other in pairs if one != other]


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Row]:
    """Return what is comparable, with both values; None where one run has none."""
    knees = [run["knee"] or {} for run in (before, after)]
    names = ("offered", "throughput", "p50", "p95", "p99")
    rows: list[Row] = [(f"knee {name}", knees[0].get(name), knees[1].get(name)) for name in names]
    load = "level" if before["closed"] else "offered"
    for one, other in _same_loads(before["stages"], after["stages"], load):
        at = f"at {one[load]:.3g} {'users' if before['closed'] else '/s'}"
        rows += [(f"{at} {name}", one[name], other[name]) for name in ("throughput", "p50", "p95", "error_ratio")]
    for model in dict.fromkeys([*before["models"], *after["models"]]):
        one, other = before["models"].get(model, {}), after["models"].get(model, {})
        rows += [(f"{model} {name}", one.get(name), other.get(name)) for name in ("queue_seconds", "compute_seconds")]
    ended, ended_after = _kinds(before), _kinds(after)
    kinds = dict.fromkeys([*ended, *ended_after])
    return [*rows, *((f"ended: {kind}", ended.get(kind, 0.0), ended_after.get(kind, 0.0)) for kind in kinds)]


def _same_loads(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], load: str
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for one in sorted((stage for stage in before if stage["arrivals"]), key=lambda stage: float(stage[load])):
        nearest = min(after, key=lambda stage: abs(stage[load] - one[load]), default=None)
        if nearest is not None and abs(nearest[load] - one[load]) <= SAME_LOAD * one[load]:
            yield one, nearest


def _kinds(run: Mapping[str, Any]) -> dict[str, float]:
    kinds: dict[str, float] = {}
    for of in run["outcomes"].values():
        for kind, count in of.items():
            kinds[kind] = kinds.get(kind, 0) + count
    return kinds


def as_table(rows: Sequence[Row]) -> Table:
    """Return the rows with their difference."""
    table = Table("", "before", "after", "change")
    for name, before, after in rows:
        table.add_row(name, _number(before), _number(after), _change(before, after))
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _change(before: float | None, after: float | None) -> str:
    return f"{after / before - 1:+.1%}" if before and after is not None else ""


if __name__ == "__main__":
    sys.exit(main())
