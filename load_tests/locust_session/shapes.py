"""A plan as Locust wants it: how many users there shall be now."""

import sys
import time

from locust import LoadTestShape
from locust.runners import MasterRunner

from load_tests.locust_session.session import Session
from load_tests.stages.plans import Plan
from load_tests.stages.stages import MeasuredStage, Stage, Window, measure

WORKERS_REPORT_SECONDS = 4.0
"""Workers report every 3 seconds: so much later the master knows what they saw."""


class PlannedShape(LoadTestShape):
    """Follows a plan, stage by stage, and says on stderr what each stage saw."""

    abstract = False

    def __init__(self, plan: Plan, session: Session) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Locust's
        self._plan = plan
        self._session = session
        self._measured: list[MeasuredStage] = []
        self._stage: Stage | None = None
        self._started: float | None = None
        self._ending = False
        self._change = 1
        """Users that may come or go per second: all, so that a stage begins at once."""

    def reset_time(self) -> None:
        """Start again; Locust calls it when a test starts."""
        super().reset_time()  # type: ignore[no-untyped-call] # as above
        self._measured = []
        self._stage = self._plan(self._measured)
        self._started, self._ending = None, False
        self._change = max(1, self._users())

    def tick(self) -> tuple[int, float] | None:
        """Return the number of users, and how many may start per second; None ends the test."""
        if self._stage is None:
            return None
        now = time.time()
        if self._started is None and self.runner is not None and self.runner.user_count == self._users():
            self._started = now
        if self._started is not None and self._is_over(self._stage, now - self._started):
            self._finish(self._stage, self._started)
            if self._stage is None:
                return None
        return self._users(), self._change

    def _users(self) -> int:
        if self._stage is None or self._stage.level == 0:
            return 0
        per_user = 1 if self._is_closed else self._session.options.rate_per_user
        return max(1, round(self._stage.level / per_user))

    @property
    def _is_closed(self) -> bool:
        return bool(self._session.options.arrivals == "closed")

    @property
    def _report_seconds(self) -> float:
        return WORKERS_REPORT_SECONDS if isinstance(self.runner, MasterRunner) else 0.0

    def _is_over(self, stage: Stage, elapsed: float) -> bool:
        drained = stage.level == 0 and not self._session.recorder.pending
        return elapsed > self._report_seconds and (drained or elapsed >= stage.seconds + self._report_seconds)

    def _finish(self, stage: Stage, started: float) -> None:
        """Measure a stage and go on to the next; after the last, wait until all is answered."""
        if stage.level > 0:
            window = Window(stage=stage, begin=started + stage.settle, end=started + stage.seconds)
            self._session.windows.append(window)
            recorder = self._session.recorder
            self._measured.append(measure(window, recorder.records, recorder.pending, time.time()))
            self._say(self._measured[-1])
        else:
            self._measured.append(measure(Window(stage=stage, begin=started, end=time.time()), [], [], time.time()))
        self._started, before = None, self._users()
        self._stage = None if self._ending else self._plan(self._measured)
        if self._stage is None and not self._ending:
            self._ending = True
            self._stage = Stage(label="end", level=0, seconds=self._session.options.drain_seconds, judged=False)
        self._change = max(1, before, self._users())

    def _say(self, stage: MeasuredStage) -> None:
        closed = self._is_closed
        verdict = "sustained" if self._session.thresholds.sustained.holds(stage, closed=closed) else "too much"
        load = f"{stage.level:g} users" if closed else f"{stage.offered:.2f}/s due"
        p95 = "no answer" if stage.p95 is None else f"p95 {stage.p95:.2f} s"
        answered = f"{stage.throughput:8.2f}/s answered"
        line = f"  {stage.label:8} {load:>14}  {answered}  {p95:>12}  {stage.errors:5} errors  {verdict}"
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress, for the person who runs it
