"""Writes what `service.py` measured: JSON, a table and a plot."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

mpl.use("Agg")

TARGETS = (
    ("saturation, times the obvious script", "at least 2.5"),
    ("saturation, times FastAPI", "at least 1.8"),
    ("one caller's latency, times the obvious script", "at most 0.6"),
    ("saturation, times the bare backbone", "at least 0.9"),
)


def write_report(results: Mapping[str, Any], folder: Path) -> None:
    """Write ``service.json``, ``service.md`` and ``service.png``, and print the table."""
    (folder / "service.json").write_text(json.dumps(results, indent=2) + "\n")
    text = _table(results)
    (folder / "service.md").write_text(text)
    _plot(results, folder / "service.png")
    print(text)  # noqa: T201 - the result


def _table(results: Mapping[str, Any]) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    lines = [
        "# Service",
        "",
        f"`python -m benchmarks.service`, {results['rounds']} rounds of {results['seconds']:g} s each, in turn.",
        f"Each request: {results['file']}, 1 clip of 16 frames. {results['clips']}",
        f"Machine: {machine}.",
        "",
        "| variant | callers | requests | per second | p50 s | p95 s | p99 s |",
        "|---|---|---|---|---|---|---|",
    ]
    for load in results["loads"]:
        cells = [f"{load[name]:.2f}" for name in ("per_second", "p50", "p95", "p99")]
        lines.append(f"| {load['variant']} | {load['callers']} | {load['requests']} | {' | '.join(cells)} |")
    lines += ["", "| ratio | target | measured |", "|---|---|---|"]
    lines += [
        f"| {name} | {target} | {value:.2f} |" for (name, target), value in zip(TARGETS, _ratios(results), strict=True)
    ]
    shares = ", ".join(f"{model} {share:.1%}" for model, share in results["stages"].items())
    return "\n".join([*lines, "", f"Computing time by Triton's statistics, at most callers: {shares}.", ""])


def _ratios(results: Mapping[str, Any]) -> list[float]:
    best = {
        name: max(load["per_second"] for load in results["loads"] if load["variant"] == name)
        for name in {load["variant"] for load in results["loads"]}
    }
    first = {load["variant"]: load["p50"] for load in reversed(results["loads"])}
    ours = best["ours"]
    return [
        ours / best["script"],
        ours / best["FastAPI"],
        first["ours"] / first["script"],
        ours / best["bare backbone"],
    ]


def _plot(results: Mapping[str, Any], path: Path) -> None:
    figure, (rate, latency) = plt.subplots(1, 2, figsize=(10, 4))
    for name in dict.fromkeys(load["variant"] for load in results["loads"]):
        loads = [load for load in results["loads"] if load["variant"] == name]
        callers = [load["callers"] for load in loads]
        rate.plot(callers, [load["per_second"] for load in loads], marker="o", label=name)
        latency.plot(callers, [load["p95"] for load in loads], marker="o", label=name)
    rate.set(xlabel="callers", ylabel="studies per second", ylim=(0, None))
    latency.set(xlabel="callers", ylabel="p95 latency, s", ylim=(0, None))
    rate.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)
