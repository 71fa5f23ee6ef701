"""Which stage comes next. A plan sees what was measured in the stages before, and nothing of Locust."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from load_tests.stages.stages import MeasuredStage, Stage
from load_tests.stages.thresholds import Sustained

SEARCH_SECONDS = 8.0
MEASURED_LEVELS = (1.0, 1.15, 1.3, 1.45, 1.6, 1.75, 1.9, 2.1)
"""Of the highest rate that the search found sustained: up to just above the next, which was not."""

LOWER_LEVELS = (0.8, 0.65, 0.5)
"""Where the first of them is too much already."""

SETTLE = 0.2
"""Part of a stage that is not measured."""

OVERLOAD = 3.0
"""Times what the server can do."""


@dataclass(frozen=True, kw_only=True)
class PlanSettings:
    """Numbers of the plans; see ``options``."""

    rate: float
    max_rate: float
    stage_seconds: float
    spike_seconds: float
    stages: int
    factor: float
    drain_seconds: float
    sustained: Sustained


Plan: TypeAlias = Callable[[Sequence[MeasuredStage]], Stage | None]
"""From the stages measured so far to the next one; None ends the test."""


def make_plan(shape: str, settings: PlanSettings) -> Plan:
    """Return the plan of a shape."""
    plans: dict[str, Callable[[Sequence[MeasuredStage], PlanSettings], Stage | None]] = {
        "ramp": ramp,
        "step": step,
        "spike": spike,
        "soak": soak,
        "overload": overload,
    }
    return lambda measured: plans[shape](measured, settings)


def ramp(measured: Sequence[MeasuredStage], settings: PlanSettings) -> Stage | None:
    """Double the rate in short stages until one is not sustained, then go up finely from the last that was.

    It ends after two fine stages in a row that were not sustained.
    """
    fine = _of(measured, "ramp")
    if not fine:
        searching = _search(measured, settings)
        if searching:
            return searching
    sustained = [settings.sustained.holds(stage) for stage in fine]
    base = max(
        (stage.level for stage in _of(measured, "search") if settings.sustained.holds(stage)),
        default=settings.rate / 2,
    )
    if sustained and not sustained[0]:
        return _lower(measured, sustained, base, settings)
    done = len(fine)
    if done == len(MEASURED_LEVELS) or (done >= 2 and not any(sustained[-2:])):
        return None
    level = base * MEASURED_LEVELS[done]
    return _stage("ramp", level, settings) if level <= settings.max_rate else None


def _lower(
    measured: Sequence[MeasuredStage], sustained: Sequence[bool], base: float, settings: PlanSettings
) -> Stage | None:
    """Go down from the first fine stage, which was too much, to one that is not."""
    if any(sustained) or len(sustained) > len(LOWER_LEVELS):
        return None
    if measured[-1].label != "drain":
        return _drain(settings)
    return _stage("ramp", base * LOWER_LEVELS[len(sustained) - 1], settings)


def _search(measured: Sequence[MeasuredStage], settings: PlanSettings) -> Stage | None:
    searched = _of(measured, "search")
    seconds = min(SEARCH_SECONDS, settings.stage_seconds)
    if not searched:
        return _stage("search", settings.rate, settings, seconds)
    last = searched[-1]
    if not settings.sustained.holds(last):
        return None if measured[-1].label == "drain" else _drain(settings)
    if last.level * 2 > settings.max_rate:
        return None
    return _stage("search", last.level * 2, settings, seconds)


def step(measured: Sequence[MeasuredStage], settings: PlanSettings) -> Stage | None:
    """Go up in equal steps: the rate, twice the rate, three times the rate."""
    number = len(measured) + 1
    return _stage("step", settings.rate * number, settings) if number <= settings.stages else None


def spike(measured: Sequence[MeasuredStage], settings: PlanSettings) -> Stage | None:
    """Before, at the rate; during, at `factor` times that; after, at the rate again: does it recover?"""
    return _spike(measured, settings, settings.rate, settings.factor)


def _spike(measured: Sequence[MeasuredStage], settings: PlanSettings, rate: float, factor: float) -> Stage | None:
    labels = [stage.label for stage in measured]
    if "before" not in labels:
        return _stage("before", rate, settings)
    if "spike" not in labels:
        return _stage("spike", rate * factor, settings, settings.spike_seconds, judged=False)
    # What is left of the spike is felt here, so it is not judged: the report says how long.
    return _stage("after", rate, settings, judged=False) if "after" not in labels else None


def soak(measured: Sequence[MeasuredStage], settings: PlanSettings) -> Stage | None:
    """Keep to one rate, stage after stage, so that a drift shows."""
    return _stage("soak", settings.rate, settings) if len(measured) < settings.stages else None


def overload(measured: Sequence[MeasuredStage], settings: PlanSettings) -> Stage | None:
    """Find out what the server can do, then a spike of three times that, from half of it and back to half."""
    if not _of(measured, "before"):
        searching = _search(measured, settings)
        if searching:
            return replace(searching, judged=False)
    capacity = max(stage.throughput for stage in _of(measured, "search"))
    return _spike(measured, settings, capacity / 2, 2 * OVERLOAD)


def _of(measured: Sequence[MeasuredStage], label: str) -> list[MeasuredStage]:
    return [stage for stage in measured if stage.label == label]


def _stage(
    label: str, level: float, settings: PlanSettings, seconds: float | None = None, *, judged: bool = True
) -> Stage:
    seconds = settings.stage_seconds if seconds is None else seconds
    return Stage(label=label, level=level, seconds=seconds, settle=seconds * SETTLE, judged=judged)


def _drain(settings: PlanSettings) -> Stage:
    return Stage(label="drain", level=0, seconds=settings.drain_seconds, judged=False)
