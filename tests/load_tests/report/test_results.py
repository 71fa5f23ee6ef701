"""From what was seen to JSON, page and comparison."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from load_tests.compare import compare, different_tests, read_results
from load_tests.report.page import render_page
from load_tests.report.results import LoadTestRun, conclusion, summarise, write_results
from load_tests.report.triton_statistics import Counters, Sample, between
from load_tests.requests.errors import LoadTestError
from load_tests.stages.recording import Record
from load_tests.stages.stages import Stage, Window
from load_tests.stages.thresholds import Required, Sustained, Thresholds

BEGIN = 1_000_000.0


def requests(begin: float, seconds: float, rate: float, latency: float, kind: str = "answered") -> list[Record]:
    return [
        Record("SingleVideo", begin + number / rate, latency, 0.001, kind, 100) for number in range(int(seconds * rate))
    ]


def sample(at: float, requests: int, batches: dict[int, int]) -> Sample:
    backbone = Counters(requests=requests, queue=0.25 * requests, compute=0.5 * requests, batches=batches)
    return Sample(at=BEGIN + at, models={"backbone": backbone})


def run(shape: str, windows: list[Window], records: list[Record], required: Required | None = None) -> LoadTestRun:
    return LoadTestRun(
        about={
            "at": "2026-01-01 00:00:00 UTC",
            "host": "grpc://localhost:8001",
            "scenarios": ["SingleVideo"],
            "options": {"load_shape": shape, "arrivals": "constant", "clip_length": 16},
            "processes": 1,
            "load_generator": "a machine",
        },
        thresholds=Thresholds(sustained=Sustained(), required=required or Required(p95_seconds=2.0, error_ratio=0.01)),
        closed=False,
        windows=windows,
        records=records,
        pending=[],
        samples=[sample(0, 10, {1: 10}), sample(10, 20, {1: 18, 2: 1}), sample(20, 50, {1: 20, 2: 14})],
    )


def window(label: str, begin: float, level: float, seconds: float = 10, *, judged: bool = True) -> Window:
    stage = Stage(label=label, level=level, seconds=seconds, judged=judged)
    return Window(stage=stage, begin=BEGIN + begin, end=BEGIN + begin + seconds)


@pytest.fixture
def ramp() -> dict[str, Any]:
    records = (
        requests(BEGIN, 10, 1, 0.4) + requests(BEGIN + 10, 10, 3, 4.0) + requests(BEGIN + 10, 2, 1, 0.1, "queue full")
    )
    return summarise(run("ramp", [window("ramp", 0, 1), window("ramp", 10, 3)], records))


@pytest.fixture
def spike() -> dict[str, Any]:
    after = requests(BEGIN + 20, 4, 1, 3.0) + requests(BEGIN + 24, 6, 1, 0.4)
    records = requests(BEGIN, 10, 1, 0.4) + requests(BEGIN + 10, 10, 3, 5.0) + after
    windows = [window("before", 0, 1), window("spike", 10, 3, judged=False), window("after", 20, 1, judged=False)]
    return summarise(run("spike", windows, records))


def test_a_ramp_is_judged_up_to_its_knee(ramp: dict[str, Any]) -> None:
    assert ramp["knee"]["offered"] == 1.0
    assert ramp["knee_passed"]
    assert [stage["sustained"] for stage in ramp["stages"]] == [True, False]
    assert ramp["passed"]
    assert ramp["outcomes"] == {"SingleVideo": {"answered": 40, "queue full": 2}}
    assert conclusion(ramp).splitlines() == [
        "Knee: 1.00 requests/s due, 1.00/s answered, p50 0.40 s, p95 0.40 s.",
        "SingleVideo: 40 answered, 2 queue full",
        "passed: p95_seconds 0.4, at most 2",
        "passed: error_ratio 0, at most 0.01",
    ]


def test_a_ramp_without_a_knee_fails() -> None:
    results = summarise(run("ramp", [window("ramp", 0, 1)], requests(BEGIN, 10, 1, 3.0)))
    assert results["knee"] is None
    assert not results["passed"]


def test_other_shapes_are_judged_throughout() -> None:
    records = requests(BEGIN, 10, 1, 0.4) + requests(BEGIN + 10, 10, 3, 4.0)
    results = summarise(run("step", [window("step", 0, 1), window("step", 10, 3)], records))
    assert not results["passed"]


def test_a_spike_says_how_long_it_was_felt(spike: dict[str, Any]) -> None:
    assert spike["recovery_seconds"] == pytest.approx(3.0)  # the last late request was due 3 s after it
    assert spike["passed"]
    assert "After the spike, requests were late or failed for 3.0 s." in conclusion(spike)


def test_a_soak_has_no_knee() -> None:
    records = requests(BEGIN, 10, 1, 3.0) + requests(BEGIN + 10, 10, 1, 0.4)
    results = summarise(run("soak", [window("soak", 0, 1), window("soak", 10, 1)], records))
    held = {"at": 0.0, "memory": 800.0, "shared_memory": 20.0, "handles": 90, "threads": 70}
    page = render_page(results | {"server": [held, held | {"at": 5.0}]})
    assert conclusion(results).splitlines()[0] == "1 of 2 stages sustained."
    assert "1 of 2 stages sustained" in page
    assert page.count('<img src="data:image/png;base64,') == 4


def test_triton_tells_what_its_models_did(ramp: dict[str, Any]) -> None:
    expected = {"requests": 10, "failed": 0, "queue_seconds": 0.25, "compute_seconds": 0.5, "batches": {"1": 8, "2": 1}}
    assert ramp["stages"][0]["models"]["backbone"] == expected
    assert ramp["models"]["backbone"]["batches"] == {"1": 10, "2": 14}


def test_without_samples_there_are_no_figures_of_models() -> None:
    assert between([], BEGIN, BEGIN + 10) == {}
    assert between([sample(0, 10, {})], BEGIN, BEGIN + 10) == {}


@pytest.mark.parametrize("name", ["ramp", "spike"])
def test_the_page_shows_it_all_and_loads_nothing(name: str, request: pytest.FixtureRequest) -> None:
    results = request.getfixturevalue(name)
    page = render_page(results)
    assert page.count('<img src="data:image/png;base64,') == 3
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    text = re.sub(r"\s+", " ", page)
    assert "Knee: 1.00 requests/s" in text
    for stage in results["stages"]:
        assert f"<td>{stage['offered']:.2f}</td>" in text


def test_the_page_does_without_statistics_and_without_answers(ramp: dict[str, Any]) -> None:
    page = render_page(ramp | {"models": {}})
    assert "does not tell its statistics" in page
    nothing = summarise(run("step", [window("step", 0, 1)], requests(BEGIN, 10, 1, 9.0, "unavailable")))
    assert "No knee" in render_page(nothing)


def test_names_from_outside_are_escaped(ramp: dict[str, Any]) -> None:
    ramp["about"]["host"] = "grpc://<script>alert(1)</script>"
    assert "<script>" not in render_page(ramp)


def test_two_runs_are_compared(ramp: dict[str, Any], spike: dict[str, Any], tmp_path: Path) -> None:
    for name, results in (("before", ramp), ("after", spike)):
        write_results(results, tmp_path / name)
    before, after = (read_results(tmp_path / name / "results.json") for name in ("before", "after"))
    rows = {name: (one, other) for name, one, other in compare(before, after)}
    assert rows["knee offered"] == (1.0, 1.0)
    assert rows["at 3.2 /s p50"] == (4.0, 5.0)
    assert rows["ended: queue full"] == (2, 0.0)
    assert different_tests(before, after) == ["load_shape ramp before, spike after"]
    command = [
        sys.executable,
        "-m",
        "load_tests.compare",
        *(str(tmp_path / name / "results.json") for name in ("before", "after")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert re.search(r"at 3\.2 /s p50\s+│ 4\s+│ 5\s+│ \+25\.0%", done.stdout)
    assert "Not the same test" in done.stdout


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 99}'])
def test_what_is_no_result_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(LoadTestError, match=r"other\.json"):
        read_results(file)


def test_results_are_json(ramp: dict[str, Any]) -> None:
    assert json.loads(json.dumps(ramp)) == ramp
