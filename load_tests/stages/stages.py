"""A load test is a sequence of stages; here is what is asked of a stage, and what was measured in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from load_tests.requests.outcomes import GOOD, QUEUE_FULL
from load_tests.stages.recording import Record


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A time of one load.

    Attributes:
        label: What it is for.
        level: Requests per second that are due; of closed users, their number. 0 waits until all are answered.
        seconds: How long it lasts; of level 0, at most.
        settle: Seconds at its beginning that are not measured.
        judged: Whether it must keep the thresholds.
    """

    label: str
    level: float
    seconds: float
    settle: float = 0.0
    judged: bool = True


@dataclass(frozen=True, kw_only=True)
class Window:
    """The measured part of a stage: seconds since 1970."""

    stage: Stage
    begin: float
    end: float


@dataclass(frozen=True, kw_only=True)
class MeasuredStage:
    """What a window saw. Times are seconds, rates are per second.

    Latencies are those of the requests that were due in the window, from when they were due, whenever they were
    answered; one that is not answered yet counts with its age.

    Attributes:
        label: As the stage's.
        level: As the stage's.
        judged: As the stage's.
        begin: Since 1970.
        seconds: Length of the window.
        arrivals: Requests due.
        completions: Good answers that came, to whichever requests.
        errors: Requests due that ended badly.
        p50: Median latency of good answers; None without any. So of the others.
        p95: As above.
        p99: As above.
        rejected_p95: Latency of refusals because the queue is full.
        late_p99: How late the load generator itself sent: large means that it, not the server, is too slow.
    """

    label: str
    level: float
    judged: bool
    begin: float
    seconds: float
    arrivals: int
    completions: int
    errors: int
    p50: float | None
    p95: float | None
    p99: float | None
    rejected_p95: float | None
    late_p99: float | None

    @property
    def offered(self) -> float:
        """Requests due per second."""
        return self.arrivals / self.seconds

    @property
    def throughput(self) -> float:
        """Good answers per second."""
        return self.completions / self.seconds

    @property
    def error_ratio(self) -> float:
        """Part of the requests due that ended badly."""
        return self.errors / self.arrivals if self.arrivals else 0.0


def measure(window: Window, records: Iterable[Record], pending: Sequence[float], now: float) -> MeasuredStage:
    """Measure a window.

    Args:
        window: Which.
        records: Requests that have ended.
        pending: When those were due that have not.
        now: Seconds since 1970.
    """
    records = list(records)
    due = [record for record in records if window.begin <= record.scheduled < window.end]
    waiting = [now - scheduled for scheduled in pending if window.begin <= scheduled < window.end]
    good = [record.latency for record in due if record.kind in GOOD] + waiting
    rejected = [record.latency for record in due if record.kind == QUEUE_FULL]
    return MeasuredStage(
        label=window.stage.label,
        level=window.stage.level,
        judged=window.stage.judged,
        begin=window.begin,
        seconds=window.end - window.begin,
        arrivals=len(due) + len(waiting),
        completions=sum(record.kind in GOOD and window.begin <= record.finished < window.end for record in records),
        errors=sum(record.kind not in GOOD for record in due),
        p50=percentile(good, 50),
        p95=percentile(good, 95),
        p99=percentile(good, 99),
        rejected_p95=percentile(rejected, 95),
        late_p99=percentile([record.late for record in due], 99),
    )


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return a percentile, None of nothing."""
    return float(np.percentile(values, percent)) if values else None
