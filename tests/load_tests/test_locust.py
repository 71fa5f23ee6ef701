"""Locust on a real server: scenarios, both protocols, workers, thresholds."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from load_tests.requests.answers import difference
from load_tests.requests.connections import Address, connect
from load_tests.requests.payloads import Sending, single_video

from panecho_server import TritonServer
from support.locust_runs import kinds, number, run, start

pytestmark = pytest.mark.long

NO_LIMITS = "[sustained]\np95_seconds = 60\n"


@pytest.fixture
def no_limits(tmp_path: Path) -> str:
    """Thresholds that any machine keeps, however busy it is."""
    file = tmp_path / "thresholds.toml"
    file.write_text(NO_LIMITS)
    return str(file)


def addresses(server: TritonServer) -> dict[str, str]:
    return {"grpc": f"grpc://{server.grpc_url}", "http": f"http://{server.http_url}"}


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_closed_users_of_every_scenario(server: TritonServer, tmp_path: Path, no_limits: str, protocol: str) -> None:
    csv = tmp_path / "locust"
    options = ("--users", "6", "--spawn-rate", "6", "--run-time", "15s", "--equal-weights", "--bad-ratio", "1")
    files = ("--csv", str(csv), "--html", str(tmp_path / "locust.html"), "--thresholds", no_limits)
    done, results = run(addresses(server)[protocol], tmp_path, *options, *files)
    assert done.returncode == 0, done.stderr
    assert set(results["outcomes"]) == {
        *("SingleVideo", "WholeStudy", "Embeddings", "Clips", "Aggregation", "Mixed"),
    }
    assert kinds(results) - {"unanswered at the end"} == {"answered", "refused as expected"}
    assert set(results["models"]) == {"preprocessing", "backbone", "postprocessing"}
    assert results["closed"]
    assert "users" in done.stdout
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "refused as expected" in page
    statistics = (tmp_path / "locust_stats.csv").read_text()
    assert f"{protocol},Mixed" in statistics
    assert (tmp_path / "locust.html").is_file()


def test_requests_that_are_due_while_the_server_stands_still_are_all_counted(
    server: TritonServer, tmp_path: Path, no_limits: str
) -> None:
    shape = ("--load-shape", "step", "--stages", "1", "--stage-seconds", "8", "--rate", "5", "--arrivals", "constant")
    locust = start(
        *("--headless", "--only-summary", "--host", addresses(server)["grpc"], "--report", str(tmp_path)),
        *("--thresholds", no_limits, "--rate-per-user", "0.5", *shape, "Aggregation"),
    )
    assert server.pid is not None
    assert locust.stderr is not None
    while "All users spawned" not in locust.stderr.readline():
        assert locust.poll() is None
    time.sleep(3)  # let some be answered
    os.kill(server.pid, signal.SIGSTOP)
    try:
        time.sleep(3)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    _, stderr = locust.communicate(timeout=120)
    assert locust.returncode == 0, stderr
    results = json.loads((tmp_path / "results.json").read_text())
    (stage,) = results["stages"]
    # A closed user would have sent one request into the gap. These were due all the same, and say how long they waited.
    assert stage["arrivals"] >= 25
    assert stage["p50"] < 2 < stage["p99"]
    assert kinds(results) == {"answered"}


def test_two_workers_send_and_the_master_reports_for_both(server: TritonServer, tmp_path: Path, no_limits: str) -> None:
    port = "15571"
    workers = [start("--worker", "--master-port", port) for _ in range(2)]
    shape = ("--load-shape", "step", "--stages", "1", "--stage-seconds", "3", "--rate", "4", "--arrivals", "poisson")
    master = ("--master", "--master-bind-port", port, "--expect-workers", "2", "--json-file", str(tmp_path / "locust"))
    try:
        done, results = run(
            addresses(server)["grpc"], tmp_path, *master, *shape, "--thresholds", no_limits, "SingleVideo"
        )
        ended = [worker.communicate(timeout=60) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert done.returncode == 0, done.stderr
    assert [worker.returncode for worker in workers] == [0, 0], ended
    own = json.loads((tmp_path / "locust.json").read_text())
    assert number(results) == sum(entry["num_requests"] for entry in own)
    assert kinds(results) == {"answered"}
    assert results["stages"][0]["arrivals"] > 0
    assert results["about"]["processes"] == 2


def test_a_threshold_that_is_not_kept_fails_the_run(server: TritonServer, tmp_path: Path) -> None:
    file = tmp_path / "strict.toml"
    file.write_text("[required]\np95_seconds = 0.00001\n")
    options = ("--users", "1", "--run-time", "3s", "--thresholds", str(file), "Aggregation")
    done, results = run(addresses(server)["grpc"], tmp_path, *options)
    assert done.returncode == 1
    assert "FAILED: p95_seconds" in done.stdout
    assert not results["passed"]


@pytest.mark.parametrize(
    ("host", "options", "message"),
    [
        ("grpc://localhost:1", ("--run-time", "60s"), "no server answers"),
        ("localhost:8001", ("--run-time", "2s"), "give grpc://host:8001"),
        ("grpc://localhost:1", ("--load-shape", "ramp"), "ramp needs --arrivals constant or poisson"),
        ("grpc://localhost:1", ("--load-shape", "soak", "--rate", "0"), "--rate 0.0: give a number above 0"),
        ("grpc://localhost:1", ("--thresholds", "none.toml"), "none.toml"),
    ],
)
def test_what_cannot_run_says_why(tmp_path: Path, host: str, options: tuple[str, ...], message: str) -> None:
    done, results = run(host, tmp_path, *options, "--users", "1", "Aggregation")
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert results == {}


def test_the_answers_to_different_videos_differ_by_more_than_is_allowed(server: TritonServer) -> None:
    connection = connect(Address(url=addresses(server)["grpc"]))
    payloads = single_video(Sending())
    answers = [connection.decode(connection.send(connection.encode(each), 60)[0], each.outputs) for each in payloads]
    connection.close()
    others = [(one, other) for one in range(len(answers)) for other in range(one)]
    assert all(difference(answers[one], answers[other]) for one, other in others)
