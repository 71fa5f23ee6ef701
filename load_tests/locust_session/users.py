"""The abstract user: it owns when requests are sent, how long they take, how they end, and Locust's events."""

import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, ClassVar

from gevent import GreenletExit
from locust import User, task

from load_tests.locust_session.session import Session
from load_tests.requests.outcomes import NOT_SENT, UNANSWERED, RefusedError, RequestOutcome
from load_tests.requests.payloads import Payload, Sending
from load_tests.requests.prepared import Prepared, judge_answer, judge_refusal
from load_tests.stages.arrivals import constant, poisson
from load_tests.stages.recording import Record

if TYPE_CHECKING:
    from locust.env import Environment


class TritonUser(User):
    """Sends the payloads of its scenario, over gRPC or HTTP as the host's address says.

    A closed user waits for each answer, thinks, and sends again. A user of constant or Poisson arrivals stands for
    `--rate-per-user` requests per second that are due at set times, whatever became of those before; their
    latency is counted from when they were due, so a server that stalls, or a load generator that is late, cannot hide.

    A subclass says what is sent, in ``payloads``.
    """

    abstract = True
    session: ClassVar[Session]

    def __init__(self, environment: "Environment") -> None:
        super().__init__(environment)
        options = self.session.options
        self._scenario = self.session.scenario(type(self).__name__)
        self._connection = self.session.connection()
        self._thinking = options.think_time
        self._number, phase = self.session.phases.take()
        self._random = Random(f"{options.seed} {self._number} {phase}")  # noqa: S311 - no secret
        self._due: float | None = None
        self._arrivals: Iterator[float] | None = None
        if options.arrivals == "constant":
            self._arrivals = constant(options.rate_per_user, phase, time.time())
        elif options.arrivals == "poisson":
            self._arrivals = poisson(options.rate_per_user, time.time(), self._random)

    @staticmethod
    def payloads(sending: Sending) -> Sequence[Payload]:
        """Make the requests; once per process, before the load."""
        raise NotImplementedError

    @task
    def call(self) -> None:
        """Send a request; of an open user, the one that is due now, without waiting for it."""
        if self._arrivals is None:
            self._send(time.time())
            return
        if self._due is not None:
            self.session.spawn(self._send, self._due)
        self._due = next(self._arrivals)

    def wait_time(self) -> float:
        """Return the seconds until the next request; Locust asks."""
        if self._due is not None:
            return max(0.0, self._due - time.time())
        return float(self._thinking) * self._random.uniform(0.5, 1.5)

    def on_stop(self) -> None:
        """Make room; requests in progress go on."""
        self.session.phases.give_back(self._number)

    def _send(self, due: float) -> None:
        prepared = self._scenario.next()
        number = self.session.recorder.begin(due)
        late = max(0.0, time.time() - due)
        started = time.perf_counter()
        ending = RequestOutcome(UNANSWERED, started)
        try:
            ending = self._exchange(prepared)
        except GreenletExit:
            ending = RequestOutcome(UNANSWERED, time.perf_counter())
            raise
        finally:
            name, latency = type(self).__name__, late + ending.at - started
            self.session.recorder.end(number, Record(name, due, latency, late, ending.kind, ending.received))
            self.session.fire(name, latency, ending)

    def _exchange(self, prepared: Prepared) -> RequestOutcome:
        if self.session.is_full:
            return RequestOutcome(NOT_SENT, time.perf_counter())
        try:
            answer, received = self._connection.send(prepared.request, self.session.options.deadline)
        except RefusedError as error:
            return RequestOutcome(judge_refusal(prepared.payload, error), time.perf_counter(), text=error.text)
        at = time.perf_counter()
        kind, wrong = judge_answer(prepared, answer, self._connection)
        return RequestOutcome(kind, at, received, wrong)
