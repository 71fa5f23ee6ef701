"""The report as one HTML page that needs nothing else; see docs/operate/load-tests.md for a picture of it."""

import base64
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, FileSystemLoader
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

mpl.use("Agg")

WIDTH, HEIGHT = 10, 4
LATENCIES = ("p50", "p95", "p99")


def render_page(results: dict[str, Any]) -> str:
    """Return the page."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    errors: Counter[str] = Counter()
    for kinds in results["outcomes"].values():
        errors.update(kinds)
    return environment.get_template("report.html.jinja").render(
        results=results,
        outcomes=sorted(errors.items(), key=lambda item: -item[1]),
        load=_png(_load(results)),
        timeline=_png(_timeline(results)),
        models=_png(_models(results)) if results["models"] else None,
        server=_png(_server(results)) if results.get("server") else None,
    )


def _load(results: dict[str, Any]) -> Figure:
    """Draw throughput and latency against the offered load."""
    figure, (rate, latency) = plt.subplots(1, 2, figsize=(WIDTH, HEIGHT))
    by = "level" if results["closed"] else "offered"
    stages = sorted((stage for stage in results["stages"] if stage["arrivals"]), key=lambda stage: stage[by])
    offered = [stage[by] for stage in stages]
    label = "users" if results["closed"] else "requests due per second"
    if not results["closed"]:
        rate.plot([0, max(offered)], [0, max(offered)], color="0.8", linestyle="--", label="all answered")
    rate.plot(offered, [stage["throughput"] for stage in stages], marker="o", label="answered")
    rate.set(xlabel=label, ylabel="good answers per second", xlim=(0, None), ylim=(0, None))
    for name in LATENCIES:
        points = [(stage[by], stage[name]) for stage in stages if stage[name] is not None]
        latency.plot(*zip(*points, strict=True), marker="o", label=name)
    limit = results["thresholds"]["sustained"]["p95_seconds"]
    latency.axhline(limit, color="0.6", linestyle=":", label="limit of p95")
    latency.set(xlabel=label, ylabel="latency from when due, s", xlim=(0, None), yscale="log")
    latency.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    latency.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))
    if results["knee"]:
        for axes in (rate, latency):
            axes.axvline(results["knee"][by], color="tab:red", linewidth=1, label="knee")
    return _finished(figure, (rate, latency))


def _timeline(results: dict[str, Any]) -> Figure:
    """Draw what was due, answered and failed over time, and the latency."""
    figure, (rate, latency) = plt.subplots(1, 2, figsize=(WIDTH, HEIGHT))
    points = results["timeline"]
    times = [point["at"] for point in points]
    for name in ("due", "answered", "errors"):
        rate.plot(times, [point[name] for point in points], label=name, drawstyle="steps-post")
    rate.set(xlabel="seconds", ylabel="requests per second", ylim=(0, None))
    latency.plot(times, [point["p95"] for point in points], label="p95 of those due then", marker=".")
    latency.set(xlabel="seconds", ylabel="latency from when due, s", ylim=(0, None))
    return _finished(figure, (rate, latency))


def _models(results: dict[str, Any]) -> Figure:
    """Draw how long each model let wait and computed, and the backbone's batches."""
    figure, (queue, compute, batches) = plt.subplots(1, 3, figsize=(WIDTH * 1.2, HEIGHT))
    points = results["timeline"]
    for model in results["models"]:
        seen = [(point["at"], point["models"][model]) for point in points if model in point["models"]]
        times = [at for at, _ in seen]
        queue.plot(times, [counters["queue_seconds"] * 1000 for _, counters in seen], label=model)
        compute.plot(times, [counters["compute_seconds"] * 1000 for _, counters in seen], label=model)
    queue.set(xlabel="seconds", ylabel="waiting per request, ms", ylim=(0, None))
    compute.set(xlabel="seconds", ylabel="computing per request, ms", ylim=(0, None))
    sizes = results["models"].get("backbone", {}).get("batches", {})
    batches.bar(range(len(sizes)), list(sizes.values()), tick_label=list(sizes), label="backbone")
    batches.set(xlabel="clips in a batch", ylabel="executions")
    return _finished(figure, (queue, compute, batches))


def _server(results: dict[str, Any]) -> Figure:
    """Draw what the server's processes held."""
    figure, (memory, handles) = plt.subplots(1, 2, figsize=(WIDTH, HEIGHT))
    points = results["server"]
    times = [point["at"] for point in points]
    for name in ("memory", "shared_memory"):
        memory.plot(times, [point[name] for point in points], label=name.replace("_", " "))
    memory.set(xlabel="seconds", ylabel="MiB", ylim=(0, None))
    for name in ("handles", "threads"):
        handles.plot(times, [point[name] for point in points], label=name)
    handles.set(xlabel="seconds", ylabel="number", ylim=(0, None))
    return _finished(figure, (memory, handles))


def _finished(figure: Figure, axes: Sequence[Axes]) -> Figure:
    for each in axes:
        each.legend(fontsize="small")
    figure.tight_layout()
    return figure


def _png(figure: Figure) -> str:
    """Return the picture as it stands in a page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
