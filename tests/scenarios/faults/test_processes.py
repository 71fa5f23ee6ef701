"""Processes that die or hang, with callers waiting: what they see, and that nothing accepted is lost."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from panecho_client import ClipOptions, Connection, PanEcho, Retry
from support.serve import Serve, running_serve

CALLERS = 3
STATUSES = {signal.SIGKILL: -9, signal.SIGTERM: 0}
"""With which tritonserver ends after a signal."""

SAMPLING = ClipOptions(num_clips=1, clip_length=2)


@pytest.fixture(scope="module")
def served(cold_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """A supervised server; every test leaves it healthy."""
    with running_serve(cold_repository, tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="module")
def expected(served: Serve, cine: Path) -> float:
    return predict(served, cine)


def predict(served: Serve, cine: Path) -> float:
    with PanEcho(Connection(url=served.grpc_url(), timeout=60)) as panecho:
        return panecho.predict_study(cine, clip_options=SAMPLING)["EF"].value


def model_process(served: Serve, model: str) -> psutil.Process:
    return next(
        process
        for process in served.family()
        if process.name().startswith("triton_python_") and f"/{model}/1/" in " ".join(process.cmdline())
    )


@contextmanager
def callers(served: Serve, cine: Path) -> Iterator[list[Future[list[float]]]]:
    """Some that predict all the while, and go on until the fault is over; a failure of any is raised at its end."""
    ended = False

    def call() -> list[float]:
        values = []
        with PanEcho(Connection(url=served.grpc_url(), timeout=60)) as panecho:
            while not ended:
                values.append(panecho.predict_study(cine, clip_options=SAMPLING)["EF"].value)
        return values

    with ThreadPoolExecutor(CALLERS) as pool:
        futures = [pool.submit(call) for _ in range(CALLERS)]
        try:
            time.sleep(1)
            yield futures
        finally:
            ended = True


def wait_for(served: Serve, text: str, count: int) -> None:
    deadline = time.monotonic() + 120
    while served.output.read_text().count(text) < count:
        assert time.monotonic() < deadline, served.output.read_text()
        time.sleep(0.1)


def assert_all_right(futures: list[Future[list[float]]], expected: float) -> None:
    for future in futures:
        values = future.result(60)
        assert values
        assert values == pytest.approx([expected] * len(values), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        "backbone",
        pytest.param("preprocessing", marks=pytest.mark.long),
        pytest.param("postprocessing", marks=pytest.mark.long),
    ],
)
def test_a_killed_model_process_is_replaced_and_nothing_is_lost(
    served: Serve, cine: Path, expected: float, model: str
) -> None:
    restarts = served.output.read_text().count("ready again")
    with callers(served, cine) as futures:
        model_process(served, model).kill()
        wait_for(served, "ready again", restarts + 1)
        predict(served, cine)
    assert_all_right(futures, expected)
    assert f"a process of the model {model} has died; starting the server again." in served.output.read_text()


@pytest.mark.slow
@pytest.mark.long
def test_a_stopped_model_process_is_replaced_and_nothing_is_lost(served: Serve, cine: Path, expected: float) -> None:
    restarts = served.output.read_text().count("ready again")
    with callers(served, cine) as futures:
        model_process(served, "backbone").send_signal(signal.SIGSTOP)
        wait_for(served, "ready again", restarts + 1)
        predict(served, cine)
    assert_all_right(futures, expected)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_server_that_is_ended_is_started_again_and_nothing_is_lost(
    cold_repository: Path, tmp_path: Path, cine: Path, expected: float, number: signal.Signals
) -> None:
    with running_serve(cold_repository, tmp_path) as served:
        with callers(served, cine) as futures:
            next(process for process in served.family() if process.name() == "tritonserver").send_signal(number)
            wait_for(served, "ready again", 1)
            predict(served, cine)
        assert_all_right(futures, expected)
        assert (
            f"tritonserver ended unexpectedly with status {STATUSES[number]}; starting the server again."
            in served.output.read_text()
        )


@pytest.mark.slow
@pytest.mark.long
def test_a_server_that_dies_again_and_again_is_given_up(cold_repository: Path, tmp_path: Path) -> None:
    with running_serve(cold_repository, tmp_path) as served:
        for restarts in range(1, 7):
            next(process for process in served.family() if process.name() == "tritonserver").kill()
            if restarts < 6:
                wait_for(served, "ready again", restarts)
        assert served.process.wait(60) == 1
        assert "status -9, for the 6th time within minutes; see " in served.output.read_text()


@pytest.mark.slow
def test_a_server_that_is_told_to_stop_answers_what_it_has_accepted(
    cold_repository: Path, tmp_path: Path, cine: Path, expected: float
) -> None:
    with running_serve(cold_repository, tmp_path) as served, ThreadPoolExecutor(6) as pool:
        connection = Connection(url=served.grpc_url(), timeout=60, retry=Retry(seconds=0))
        clients = [PanEcho(connection) for _ in range(6)]
        assert all(panecho.tasks for panecho in clients)
        accepted = [pool.submit(panecho.predict_study, cine, clip_options=SAMPLING) for panecho in clients]
        time.sleep(0.4)
        os.killpg(served.process.pid, signal.SIGTERM)
        values = [future.result(60)["EF"].value for future in accepted]
        assert served.process.wait(60) == 0
        for panecho in clients:
            panecho.close()
    assert values == pytest.approx([expected] * 6, abs=1e-4)
