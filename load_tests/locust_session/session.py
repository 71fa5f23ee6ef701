"""One process of a load test: its connections, what it sends, what it saw."""

import itertools
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import gevent
from gevent.pool import Pool
from grpc.experimental.gevent import init_gevent
from locust.runners import MasterRunner, WorkerRunner

from load_tests.locust_session.options import address_of, sending_of, shown_options
from load_tests.report.results import LoadTestRun, about
from load_tests.report.triton_statistics import Sample, take_sample
from load_tests.requests.connections import TritonConnection, connect, wait_until_connected
from load_tests.requests.errors import LoadTestError
from load_tests.requests.outcomes import GOOD, RequestOutcome
from load_tests.requests.payloads import Payloads
from load_tests.requests.prepared import Scenario, prepare
from load_tests.stages.arrivals import Phases
from load_tests.stages.plans import SETTLE
from load_tests.stages.recording import Recorder
from load_tests.stages.stages import Stage, Window
from load_tests.stages.thresholds import read_thresholds

if TYPE_CHECKING:
    from locust.env import Environment

init_gevent()  # before any channel: gRPC would block every user of the process

SAMPLE_SECONDS = 1.0


class FailureError(Exception):
    """How Locust's own tables name a request that ended badly."""


class Session:
    """What the users of a process share. The master has no users: it gathers what the workers saw.

    Raises:
        LoadTestError: An option or a file of its is wrong.
    """

    def __init__(self, environment: "Environment") -> None:
        self.environment = environment
        self.recorder = Recorder()
        self.phases = Phases(Random().random())  # noqa: S311 - no secret; workers must not send at the same moments
        self.thresholds = read_thresholds(Path(self.options.thresholds))
        self.windows: list[Window] = []
        self._samples: list[Sample] = []
        self._in_progress = Pool()
        self._connections: list[TritonConnection] = []
        self._turn = itertools.count()
        self._scenarios: dict[str, Scenario] = {}
        self._began = time.time()
        self._spawned: float | None = None
        self._sampler: gevent.Greenlet | None = None

    @property
    def options(self) -> Namespace:
        """The options of the test; a worker receives them from the master when a test starts."""
        options: Namespace | None = self.environment.parsed_options
        if options is None:
            raise LoadTestError("the load tests run under the command `locust`.")
        return options

    @property
    def sends(self) -> bool:
        """Whether this process has users."""
        return not isinstance(self.environment.runner, MasterRunner)

    @property
    def gathers(self) -> bool:
        """Whether what all processes saw is here in the end."""
        return not isinstance(self.environment.runner, WorkerRunner)

    @property
    def is_full(self) -> bool:
        """Whether so many requests are in progress that another would measure the load generator."""
        return len(self._in_progress) > int(self.options.max_in_progress)

    def begin(self, makers: Mapping[str, Payloads]) -> None:
        """Connect, make the requests, and record the answers given before there is any load.

        Args:
            makers: What makes the requests of each kind of user, by the kind's name.

        Raises:
            LoadTestError: There is no server, or it does not answer as it must.
        """
        self.recorder.clear()
        self.windows.clear()
        self._samples.clear()
        self._began, self._spawned = time.time(), None
        address = address_of(self.environment.host or "", self.options)
        if self.sends:
            self._close()
            self._connections = [connect(address) for _ in range(self.options.connections)]
            for connection in self._connections:
                wait_until_connected(connection)
            self._scenarios = {name: self._prepare(make) for name, make in makers.items()}
        if self.gathers:
            connection = connect(address)
            wait_until_connected(connection)
            self._sampler = gevent.spawn(self._sample, connection)

    def note_spawned(self) -> None:
        """Note that all users are there."""
        self._spawned = time.time()

    def end(self) -> None:
        """Wait for requests in progress, and cancel those that are not answered in time."""
        if not self.windows and self.gathers:
            begin, end = self._spawned or self._began, time.time()
            users = self.environment.runner.target_user_count if self.environment.runner else 0
            level = users if self.options.arrivals == "closed" else users * self.options.rate_per_user
            stage = Stage(label="run", level=level, seconds=end - begin)
            self.windows.append(Window(stage=stage, begin=begin + SETTLE * stage.seconds, end=end))
        self._in_progress.join(timeout=self.options.drain_seconds)
        self._in_progress.kill()
        if self._sampler is not None:
            self._sampler.kill()

    def run(self) -> LoadTestRun:
        """Return what was seen."""
        return LoadTestRun(
            about=about(
                self.environment.host or "", shown_options(self.options), self._names(), self.recorder.processes
            ),
            thresholds=self.thresholds,
            closed=self.options.arrivals == "closed",
            windows=self.windows,
            records=self.recorder.records,
            pending=self.recorder.pending,
            samples=self._samples,
        )

    def scenario(self, name: str) -> Scenario:
        """Return the requests of a kind of user."""
        return self._scenarios[name]

    def connection(self) -> TritonConnection:
        """Return a connection, each in turn."""
        return self._connections[next(self._turn) % len(self._connections)]

    def spawn(self, call: Callable[[float], None], due: float) -> None:
        """Call without waiting for the end."""
        self._in_progress.spawn(call, due)

    def fire(self, name: str, latency: float, ending: RequestOutcome) -> None:
        """Tell Locust of a request."""
        self.environment.events.request.fire(  # type: ignore[no-untyped-call] # Locust's
            request_type=(self.environment.host or "").partition("://")[0],
            name=name,
            response_time=latency * 1000,
            response_length=ending.received,
            exception=None if ending.kind in GOOD else FailureError(f"{ending.kind}: {ending.text[:200]}"),
            context={"kind": ending.kind},
        )

    def _prepare(self, make: Payloads) -> Scenario:
        options, connection = self.options, self.connection()
        compare = options.compare_answers == "yes"
        payloads = make(sending_of(options))
        prepared = [prepare(payload, connection, options.deadline, compare=compare) for payload in payloads]
        return Scenario(prepared, options.seed)

    def _sample(self, connection: TritonConnection) -> None:
        """Keep Triton's statistics, until killed."""
        while True:
            sample = take_sample(connection)
            if sample is None:
                print("load test: the server does not tell its statistics; the report goes without", file=sys.stderr)  # noqa: T201 - for the person who runs it
                return
            self._samples.append(sample)
            gevent.sleep(SAMPLE_SECONDS)

    def _names(self) -> list[str]:
        return sorted(kind.__name__ for kind in self.environment.user_classes)

    def _close(self) -> None:
        for connection in self._connections:
            connection.close()
