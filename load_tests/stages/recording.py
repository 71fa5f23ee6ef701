"""Every request of a process that is in progress or has ended. Workers report theirs to the master."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

REPORT = "panecho"
"""Key of our part of what a worker reports."""


@dataclass(frozen=True, slots=True)
class Record:
    """One request that has ended.

    Attributes:
        scenario: Which kind of request.
        scheduled: When it was due, seconds since 1970.
        latency: Seconds from then to its end.
        late: Seconds from then until it was sent.
        kind: How it ended; see ``outcomes``.
        received: Bytes of the answer.
    """

    scenario: str
    scheduled: float
    latency: float
    late: float
    kind: str
    received: int

    @property
    def finished(self) -> float:
        """When it ended, seconds since 1970."""
        return self.scheduled + self.latency


class Recorder:
    """Keeps the records of a process; those of the master, of all workers."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything: a new test begins."""
        self.records: list[Record] = []
        self._own: dict[int, float] = {}
        self._workers: dict[str, list[float]] = {}
        self._reported = 0
        self._senders: set[str] = set()
        self._next = 0

    @property
    def pending(self) -> Sequence[float]:
        """When the requests were due that have not ended."""
        return [*self._own.values(), *(due for pending in self._workers.values() for due in pending)]

    @property
    def processes(self) -> int:
        """How many processes sent what is recorded here."""
        return len(self._senders) or 1

    def begin(self, scheduled: float) -> int:
        """Note that a request is due; return a number to end it with."""
        self._next += 1
        self._own[self._next] = scheduled
        return self._next

    def end(self, number: int, record: Record) -> None:
        """Note how it ended."""
        if self._own.pop(number, None) is not None:
            self.records.append(record)

    def report(self, data: dict[str, Any]) -> None:
        """Add to a worker's report what is new since the last."""
        new, self._reported = self.records[self._reported :], len(self.records)
        data[REPORT] = {"records": [astuple(record) for record in new], "pending": list(self._own.values())}

    def take(self, worker: str, data: dict[str, Any]) -> None:
        """Take a worker's report."""
        report = data.pop(REPORT, None)
        if report is not None:
            self.records += [Record(*values) for values in report["records"]]
            self._workers[worker] = report["pending"]
            if report["records"]:
                self._senders.add(worker)
