"""The knee, from recorded ramps."""

from dataclasses import replace

import pytest
from load_tests.stages.knee import find_knee, knee_was_passed
from load_tests.stages.stages import MeasuredStage
from load_tests.stages.thresholds import Sustained

LIMITS = Sustained(throughput_ratio=0.95, slack_requests=2, p95_seconds=2.0, error_ratio=0.01)


def stage(arrivals: int, completions: int, p95: float | None, errors: int = 0, seconds: float = 12.0) -> MeasuredStage:
    return MeasuredStage(
        label="ramp",
        level=arrivals / seconds,
        judged=True,
        begin=0.0,
        seconds=seconds,
        arrivals=arrivals,
        completions=completions,
        errors=errors,
        p50=p95 and p95 / 2,
        p95=p95,
        p99=p95,
        rejected_p95=None,
        late_p99=0.001,
    )


# A ramp as recorded: 1 clip of 16 frames per request, bf16 on two cores, which compute 2.1 clips a second.
RECORDED = [
    stage(3, 3, 0.47, seconds=6.4),
    stage(6, 6, 0.49, seconds=6.4),
    stage(13, 13, 0.71, seconds=6.4),
    stage(26, 14, 3.9, seconds=6.4),
    stage(24, 24, 0.72),
    stage(28, 25, 2.6),
    stage(31, 26, 4.8),
]


def test_the_knee_is_the_highest_rate_that_was_sustained() -> None:
    knee = find_knee(RECORDED, LIMITS)
    assert knee == RECORDED[2]
    assert knee.offered == pytest.approx(2.03, abs=0.01)
    assert knee_was_passed(RECORDED, LIMITS)


def test_the_order_in_which_the_stages_ran_does_not_matter() -> None:
    assert find_knee(RECORDED[::-1], LIMITS) == RECORDED[2]


def test_a_rate_above_one_that_was_too_much_is_not_the_knee() -> None:
    lucky = stage(40, 40, 0.5)
    assert find_knee([*RECORDED, lucky], LIMITS) == RECORDED[2]


def test_there_is_no_knee_when_the_lightest_load_was_too_much() -> None:
    assert find_knee([stage(3, 3, 2.5), stage(12, 12, 0.5)], LIMITS) is None


def test_without_a_stage_that_was_too_much_the_knee_lies_higher() -> None:
    assert find_knee(RECORDED[:3], LIMITS) == RECORDED[2]
    assert not knee_was_passed(RECORDED[:3], LIMITS)


@pytest.mark.parametrize(
    ("measured", "sustained"),
    [
        (stage(100, 95, 1.0), True),
        (stage(100, 94, 1.0), False),  # fewer than 95 %
        (stage(10, 8, 1.0), True),  # two requests short: a stage of ten cannot tell 95 %
        (stage(10, 7, 1.0), False),
        (stage(10, 10, 2.0), True),
        (stage(10, 10, 2.01), False),  # p95
        (stage(100, 100, 1.0, errors=1), True),
        (stage(100, 100, 1.0, errors=2), False),  # errors
        (stage(2, 0, None), False),  # no answer at all
    ],
)
def test_sustained(measured: MeasuredStage, *, sustained: bool) -> None:
    assert LIMITS.holds(measured) is sustained


def test_closed_users_always_get_what_they_ask_so_latency_alone_counts() -> None:
    stages = [
        replace(stage(20, 10, 0.5), level=1),
        replace(stage(24, 10, 1.0), level=4),
        replace(stage(20, 10, 3.0), level=8),
    ]
    assert find_knee(stages, LIMITS, closed=True) == stages[1]
