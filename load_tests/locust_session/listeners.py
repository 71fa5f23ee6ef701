"""Ties a session to Locust's events."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locust import events

from load_tests.locust_session.options import add_options, plan_settings
from load_tests.locust_session.session import Session
from load_tests.locust_session.shapes import PlannedShape
from load_tests.locust_session.users import TritonUser
from load_tests.report.results import conclusion, summarise, write_results
from load_tests.requests.errors import LoadTestError
from load_tests.stages.plans import make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from locust.env import Environment
    from locust.event import EventHook

    from load_tests.requests.payloads import Payloads

FAILED = 1


def listen() -> None:
    """Have Locust call us."""
    listeners: Sequence[tuple[EventHook, Callable[..., None]]] = (
        (events.init_command_line_parser, add_options),
        (events.init, _init),
        (events.test_start, _start),
        (events.spawning_complete, _spawned),
        (events.test_stop, _stop),
        (events.report_to_master, _report),
        (events.worker_report, _take),
        (events.quitting, _quit),
    )
    for event, listener in listeners:
        event.add_listener(listener)  # type: ignore[no-untyped-call] # Locust's


def _init(environment: "Environment", **_: Any) -> None:  # noqa: ANN401 - Locust may pass more
    try:
        session = TritonUser.session = Session(environment)
        shape = _make_shape(session) if session.gathers else None
    except LoadTestError as error:
        sys.exit(f"load test: {error}")
    environment.stop_timeout = environment.stop_timeout or session.options.drain_seconds  # closed users finish
    if shape is not None:
        # Here and not as a class in the locustfile: there Locust would take it whether it is asked for or not.
        shape.runner = environment.runner
        environment.shape_class = shape


def _make_shape(session: Session) -> PlannedShape | None:
    """Return the shape that was asked for, if any."""
    options = session.options
    if options.load_shape == "none":
        return None
    return PlannedShape(make_plan(options.load_shape, plan_settings(options, session.thresholds)), session)


def _start(environment: "Environment", **_: Any) -> None:  # noqa: ANN401 - as above
    try:
        TritonUser.session.begin(_payload_makers(environment.user_classes))
    except LoadTestError as error:
        sys.exit(f"load test: {error}")


def _payload_makers(kinds: "Sequence[type[Any]]") -> "Mapping[str, Payloads]":
    """Return what makes the requests of each kind of user.

    Raises:
        LoadTestError: One of them is not ours.
    """
    for kind in kinds:
        if not issubclass(kind, TritonUser):
            raise LoadTestError(f"{kind.__name__}: not a TritonUser; derive it from load_tests' TritonUser.")
    return {kind.__name__: kind.payloads for kind in kinds}


def _spawned(**_: Any) -> None:  # noqa: ANN401 - as above
    TritonUser.session.note_spawned()


def _stop(environment: "Environment", **_: Any) -> None:  # noqa: ANN401 - as above
    TritonUser.session.end()
    if environment.web_ui is not None:
        _finish(environment)  # its page may start another test, so the process may not end soon


def _report(data: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 - as above
    TritonUser.session.recorder.report(data)


def _take(client_id: str, data: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 - as above
    TritonUser.session.recorder.take(client_id, data)


def _quit(environment: "Environment", **_: Any) -> None:  # noqa: ANN401 - as above
    if environment.web_ui is None and TritonUser.session.gathers:
        _finish(environment)


def _finish(environment: "Environment") -> None:
    """Say what came out, write it where that is asked for, and let the exit status tell."""
    session = TritonUser.session
    if not session.windows:
        return  # it ended before anything was measured, and said why
    results = summarise(session.run())
    environment.process_exit_code = 0 if results["passed"] else FAILED
    lines = [conclusion(results)]
    if session.options.report:
        lines += [f"Wrote {path}" for path in write_results(results, Path(session.options.report))]
    print("\n".join(lines), flush=True)  # noqa: T201 - the result
