"""How far a run over many studies is: a bar on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Literal, Self, get_args

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

StudyOutcome = Literal["done", "incomplete", "failed", "kept", "without cine"]
"""``incomplete``: predicted from the instances that could be fetched, not from all; ``kept``: was there before."""

SECONDS_BETWEEN_LINES = 10.0
MINUTE, HOUR = 60, 3600


class RunProgress:
    """Counts studies and says how many are left.

    Args:
        messages: Where to say it.
        total: Studies of the run.
    """

    def __init__(self, messages: Console, total: int) -> None:
        self.counts: dict[StudyOutcome, int] = dict.fromkeys(get_args(StudyOutcome), 0)
        self._messages = messages
        self._total = total
        self._started = self._said = time.monotonic()
        columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, TimeElapsedColumn(), console=messages, disable=not messages.is_terminal)
        self._task = self._bar.add_task("studies", total=total)

    def count(self, outcome: StudyOutcome) -> None:
        """Take note of one study."""
        self.counts[outcome] += 1
        self._bar.update(self._task, advance=1, description=self.text)
        now = time.monotonic()
        if not self._messages.is_terminal and now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            self._messages.print(f"{sum(self.counts.values())} of {self._total} {self.text}")

    @property
    def summary(self) -> str:
        """What became of the studies."""
        counts = self.counts
        before = f", {counts['kept']} were there before" if counts["kept"] else ""
        incomplete = f" ({counts['incomplete']} of them incomplete)" if counts["incomplete"] else ""
        empty = f", {counts['without cine']} without a cine (nothing to predict)" if counts["without cine"] else ""
        predicted = counts["done"] + counts["incomplete"]
        return f"{predicted} of {self._total} studies predicted{incomplete}, {counts['failed']} failed{empty}{before}."

    @property
    def text(self) -> str:
        """What follows the number of studies: failures, rate and time left."""
        worked = sum(self.counts.values()) - self.counts["kept"]
        left = self._total - sum(self.counts.values())
        rate = worked / max(time.monotonic() - self._started, 1e-9)
        failed = f" ({self.counts['failed']} failed)" if self.counts["failed"] else ""
        if not worked:
            return f"studies{failed}"
        return f"studies{failed}, {_per_time(rate)}, {_duration(left / rate)} left"

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the bar as it is."""
        self._bar.stop()


def _per_time(rate: float) -> str:
    """Return a rate, given per second, in the unit that makes it a number above 1."""
    for seconds, name in ((1, "second"), (MINUTE, "minute")):
        if rate * seconds >= 1:
            return f"{rate * seconds:.1f} per {name}"
    return f"{rate * HOUR:.1f} per hour"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
