"""What is measured of a stage; no request may hide."""

import pytest
from load_tests.stages.recording import Record, Recorder
from load_tests.stages.stages import Stage, Window, measure

WINDOW = Window(stage=Stage(label="ramp", level=1, seconds=12, settle=2), begin=100.0, end=110.0)


def record(scheduled: float, latency: float, kind: str = "answered", late: float = 0.0) -> Record:
    return Record("SingleVideo", scheduled, latency, late, kind, 1000)


def test_latency_counts_for_the_stage_in_which_the_request_was_due() -> None:
    records = [record(99.0, 5.0), record(101.0, 1.0), record(109.0, 3.0), record(111.0, 0.1)]
    measured = measure(WINDOW, records, [], 120.0)
    assert (measured.arrivals, measured.completions) == (2, 2)  # due: 101, 109; answered: those of 99 and 101
    assert measured.offered == pytest.approx(0.2)
    assert measured.throughput == pytest.approx(0.2)
    assert measured.p50 == pytest.approx(2.0)


def test_a_request_that_is_not_answered_counts_with_its_age() -> None:
    measured = measure(WINDOW, [record(101.0, 1.0)], [102.0, 130.0], 122.0)
    assert measured.arrivals == 2
    assert measured.p99 == pytest.approx(19.81)


def test_refusals_and_errors_are_apart_from_good_answers() -> None:
    records = [
        record(101.0, 1.0),
        record(102.0, 0.5, "refused as expected"),
        record(103.0, 0.01, "queue full"),
        record(104.0, 9.0, "internal"),
    ]
    measured = measure(WINDOW, records, [], 120.0)
    assert (measured.arrivals, measured.completions, measured.errors) == (4, 2, 2)
    assert measured.error_ratio == 0.5
    assert measured.p99 == pytest.approx(0.995)
    assert measured.rejected_p95 == pytest.approx(0.01)


def test_an_empty_stage_measures_nothing() -> None:
    measured = measure(WINDOW, [], [], 120.0)
    assert (measured.arrivals, measured.p95, measured.error_ratio) == (0, None, 0.0)


def test_the_master_sees_what_workers_report() -> None:
    worker, master = Recorder(), Recorder()
    first, _ = worker.begin(1.0), worker.begin(2.0)
    worker.end(first, record(1.0, 0.5))
    data: dict[str, object] = {"stats": []}
    worker.report(data)
    master.take("worker", data)
    assert (master.records, list(master.pending)) == ([record(1.0, 0.5)], [2.0])
    assert master.processes == 1
    assert data == {"stats": []}  # Locust's own part stays
    again: dict[str, object] = {}
    worker.report(again)
    master.take("worker", again)
    assert len(master.records) == 1  # nothing is reported twice
