"""What came out of a load test, as JSON has it, and as text."""

import json
import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from load_tests.report.machine import cores, processor
from load_tests.report.triton_statistics import Counters, Sample, between
from load_tests.requests.outcomes import GOOD
from load_tests.stages.knee import find_knee, knee_was_passed
from load_tests.stages.recording import Record
from load_tests.stages.stages import MeasuredStage, Window, measure, percentile
from load_tests.stages.thresholds import Sustained, Thresholds, judge

FORMAT = 1
"""Of ``results.json``; goes up when a reader of older ones would misread it."""

BUCKETS = 150
"""Points of a curve over time, at most."""

Results = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class LoadTestRun:
    """Everything that was seen."""

    about: Mapping[str, Any]
    thresholds: Thresholds
    closed: bool
    windows: Sequence[Window]
    records: Sequence[Record]
    pending: Sequence[float]
    samples: Sequence[Sample]


def about(host: str, options: Mapping[str, Any], scenarios: Sequence[str], processes: int) -> dict[str, Any]:
    """Return what two runs must have in common to be compared, and when and where this one was."""
    return {
        "at": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "host": host,
        "scenarios": list(scenarios),
        "options": dict(options),
        "processes": processes,
        "load_generator": f"{processor()}, {cores()} cores, Python {platform.python_version()}",
    }


def summarise(run: LoadTestRun) -> Results:
    """Return the results of a run."""
    now = time.time()
    sustained = run.thresholds.sustained
    stages = [measure(window, run.records, run.pending, now) for window in run.windows]
    knee = find_knee(stages, sustained, closed=run.closed)
    verdicts = judge(run.thresholds.required, _judged(run, stages, knee))
    begin = min((window.begin for window in run.windows), default=now)
    end = max((window.end for window in run.windows), default=now)
    return {
        "format": FORMAT,
        "about": dict(run.about),
        "thresholds": asdict(run.thresholds),
        "closed": run.closed,
        "stages": [
            _stage(stage, sustained, run) | {"models": _models(between(run.samples, window.begin, window.end))}
            for stage, window in zip(stages, run.windows, strict=True)
        ],
        "knee": _stage(knee, sustained, run) if knee else None,
        "knee_passed": knee_was_passed(stages, sustained, closed=run.closed),
        "recovery_seconds": _recovery(run, sustained),
        "outcomes": _outcomes(run),
        "models": _models(between(run.samples, begin, end)),
        "timeline": _timeline(run, begin, end),
        "verdicts": [asdict(verdict) | {"passed": verdict.passed} for verdict in verdicts],
        "passed": all(verdict.passed for verdict in verdicts) and bool(stages),
    }


def _judged(run: LoadTestRun, stages: Sequence[MeasuredStage], knee: MeasuredStage | None) -> list[MeasuredStage]:
    """Return the stages that must keep the thresholds: of a ramp, those up to the knee."""
    if run.about["options"]["load_shape"] != "ramp":
        return list(stages)
    return [stage for stage in stages if knee and stage.offered <= knee.offered]


def _stage(stage: MeasuredStage, sustained: Sustained, run: LoadTestRun) -> dict[str, Any]:
    return asdict(stage) | {
        "offered": stage.offered,
        "throughput": stage.throughput,
        "error_ratio": stage.error_ratio,
        "sustained": sustained.holds(stage, closed=run.closed),
    }


def _recovery(run: LoadTestRun, sustained: Sustained) -> float | None:
    """Return for how many seconds after a spike requests that were due then ended badly or late; None of no spike."""
    ends = [window.end for window in run.windows if window.stage.label == "spike"]
    if not ends:
        return None
    end = max(ends)
    after = [record for record in run.records if record.scheduled >= end]
    late = sustained.p95_seconds
    bad = [record for record in after if record.kind not in GOOD or record.latency > late]
    return max((record.scheduled - end for record in bad), default=0.0)


def _outcomes(run: LoadTestRun) -> dict[str, dict[str, int]]:
    counted = Counter((record.scenario, record.kind) for record in run.records)
    scenarios = sorted({scenario for scenario, _ in counted})
    return {name: {kind: n for (of, kind), n in sorted(counted.items()) if of == name} for name in scenarios}


def _models(models: Mapping[str, Counters]) -> dict[str, Any]:
    return {
        name: {
            "requests": counters.requests,
            "failed": counters.failed,
            "queue_seconds": counters.queue_per_request,
            "compute_seconds": counters.compute_per_request,
            "batches": {str(size): count for size, count in counters.batches.items()},
        }
        for name, counters in models.items()
        if counters.requests or counters.failed
    }


def _timeline(run: LoadTestRun, begin: float, end: float) -> list[dict[str, Any]]:
    """Return rates, p95 and what the models did, over time."""
    width = max(2.0, (end - begin) / BUCKETS)
    times = [begin + number * width for number in range(max(1, int((end - begin) / width)))]
    return [_bucket(run, begin, time_, width) for time_ in times]


def _bucket(run: LoadTestRun, begin: float, at: float, width: float) -> dict[str, Any]:
    due = [record for record in run.records if at <= record.scheduled < at + width]
    answered = [record for record in run.records if record.kind in GOOD and at <= record.finished < at + width]
    return {
        "at": at - begin,
        "due": (len(due) + sum(at <= pending < at + width for pending in run.pending)) / width,
        "answered": len(answered) / width,
        "errors": sum(record.kind not in GOOD for record in due) / width,
        "p95": percentile([record.latency for record in due if record.kind in GOOD], 95),
        "models": _models(between(run.samples, at, at + width)),
    }


def write_results(results: Results, folder: Path) -> list[Path]:
    """Write ``results.json`` and ``report.html``."""
    from load_tests.report.page import render_page  # noqa: PLC0415 - plots: matplotlib is needed only here

    folder.mkdir(parents=True, exist_ok=True)
    data, page = folder / "results.json", folder / "report.html"
    data.write_text(json.dumps(results, indent=1) + "\n")
    page.write_text(render_page(results))
    return [data, page]


def conclusion(results: Results) -> str:
    """Return what came out, in a few lines."""
    lines = [_knee_line(results)]
    if results["recovery_seconds"] is not None:
        lines.append(f"After the spike, requests were late or failed for {results['recovery_seconds']:.1f} s.")
    lines += [
        f"{scenario}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        for scenario, kinds in results["outcomes"].items()
    ]
    lines += [
        f"{'passed' if verdict['passed'] else 'FAILED'}: {verdict['name']} {_number(verdict['measured'])}, at "
        f"{verdict['at']} {verdict['limit']:g}"
        for verdict in results["verdicts"]
    ]
    return "\n".join(lines)


def _knee_line(results: Results) -> str:
    if results["about"]["options"]["load_shape"] == "soak":
        return f"{sum(stage['sustained'] for stage in results['stages'])} of {len(results['stages'])} stages sustained."
    knee = results["knee"]
    if knee is None:
        return "No knee: the lightest load was more than the server sustains."
    unit = f"{knee['level']:g} users" if results["closed"] else f"{knee['offered']:.2f} requests/s due"
    name = "Knee" if results["knee_passed"] else "No knee found; sustained at most"
    numbers = f"{knee['throughput']:.2f}/s answered, p50 {knee['p50']:.2f} s, p95 {knee['p95']:.2f} s"
    return f"{name}: {unit}, {numbers}."


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3g}"
