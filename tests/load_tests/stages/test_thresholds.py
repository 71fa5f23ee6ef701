"""Thresholds: read strictly, judged on what was measured."""

from dataclasses import replace
from pathlib import Path

import pytest
from load_tests.requests.errors import LoadTestError
from load_tests.stages.stages import MeasuredStage
from load_tests.stages.thresholds import Required, Sustained, judge, read_thresholds

STAGE = MeasuredStage(
    label="soak",
    level=1.0,
    judged=True,
    begin=0.0,
    seconds=10.0,
    arrivals=100,
    completions=98,
    errors=1,
    p50=0.2,
    p95=0.8,
    p99=1.0,
    rejected_p95=None,
    late_p99=0.0,
)


def test_the_file_that_comes_along_says_what_the_code_has_as_defaults() -> None:
    thresholds = read_thresholds()
    assert thresholds.sustained == Sustained(throughput_ratio=0.95, slack_requests=2, p95_seconds=2.0, error_ratio=0.01)
    assert thresholds.sustained == Sustained()
    assert thresholds.required == Required(p95_seconds=2.0, error_ratio=0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[required]\np96_seconds = 1", "p96_seconds is unknown; known are p95_seconds, error_ratio, throughput"),
        ("[required]\np95_seconds = 'fast'", "p95_seconds = 'fast' is not a number of at least 0"),
        ("[required]\nthroughput = -1", "throughput = -1 is not a number of at least 0"),
        ("[needed]", r"\[needed\] is neither"),
        ("p95 = ", "give a TOML file"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(LoadTestError, match=message):
        read_thresholds(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadTestError, match=r"none\.toml"):
        read_thresholds(tmp_path / "none.toml")


def test_the_worst_stage_is_judged() -> None:
    stages = [STAGE, replace(STAGE, p95=1.5, errors=3), replace(STAGE, p95=9.0, errors=50, judged=False)]
    verdicts = judge(Required(p95_seconds=1.0, error_ratio=0.03, throughput=9.0), stages)
    assert [(verdict.name, verdict.measured, verdict.passed) for verdict in verdicts] == [
        ("p95_seconds", 1.5, False),
        ("error_ratio", 0.03, True),
        ("throughput", 9.8, True),
    ]


def test_what_was_not_measured_was_not_kept() -> None:
    assert [verdict.passed for verdict in judge(Required(p95_seconds=1.0, throughput=1.0), [])] == [False, False]
    assert not judge(Required(p95_seconds=1.0), [STAGE, replace(STAGE, p95=None)])[0].passed
