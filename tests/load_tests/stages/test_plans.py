"""The order of stages, against a made-up server that answers so many requests per second and no more."""

from collections.abc import Callable

import pytest
from load_tests.stages.knee import find_knee
from load_tests.stages.plans import PlanSettings, make_plan
from load_tests.stages.stages import MeasuredStage, Stage
from load_tests.stages.thresholds import Sustained

SETTINGS = PlanSettings(
    rate=0.5,
    max_rate=1000,
    stage_seconds=15,
    spike_seconds=30,
    stages=3,
    factor=3,
    drain_seconds=60,
    sustained=Sustained(),
)


def answered_by(capacity: float) -> Callable[[Stage], MeasuredStage]:
    """A server without a backlog from one stage to the next."""

    def answer(stage: Stage) -> MeasuredStage:
        seconds = stage.seconds - stage.settle
        late = stage.level > capacity
        return MeasuredStage(
            label=stage.label,
            level=stage.level,
            judged=stage.judged,
            begin=0,
            seconds=seconds,
            arrivals=round(stage.level * seconds),
            completions=round(min(stage.level, capacity) * seconds),
            errors=0,
            p50=0.5,
            p95=5.0 if late else 0.6,
            p99=5.0 if late else 0.7,
            rejected_p95=None,
            late_p99=0.0,
        )

    return answer


def play(shape: str, capacity: float, settings: PlanSettings = SETTINGS) -> list[MeasuredStage]:
    plan, answer = make_plan(shape, settings), answered_by(capacity)
    measured: list[MeasuredStage] = []
    while (stage := plan(measured)) is not None:
        measured.append(answer(stage))
        assert len(measured) < 100
    return measured


def described(stages: list[MeasuredStage]) -> list[tuple[str, float]]:
    return [(stage.label, round(stage.level, 3)) for stage in stages]


def test_a_ramp_doubles_then_goes_up_finely_until_two_stages_are_too_much() -> None:
    assert described(play("ramp", 2.5)) == [
        ("search", 0.5),
        ("search", 1),
        ("search", 2),
        ("search", 4),
        ("drain", 0),
        ("ramp", 2),
        ("ramp", 2.3),
        ("ramp", 2.6),
        ("ramp", 2.9),
    ]


@pytest.mark.parametrize("capacity", [0.1, 0.2, 0.45, 0.6, 2.5, 3.9, 40, 333])
def test_a_ramp_finds_the_knee_of_slow_and_fast_servers(capacity: float) -> None:
    stages = play("ramp", capacity)
    knee = find_knee(stages, SETTINGS.sustained)
    if capacity < 0.125:
        assert knee is None  # half the lowest rate, halved again, is as far as it goes down
    else:
        assert knee is not None
        assert 0.6 * capacity <= knee.level <= capacity


def test_a_ramp_takes_at_most_four_minutes_on_a_machine_that_does_two_requests_a_second() -> None:
    settings = SETTINGS
    stages = play("ramp", 2.1)
    assert sum(8 if stage.label == "search" else 15 for stage in stages if stage.level) <= 240
    assert settings.stage_seconds == 15


def test_a_ramp_goes_down_when_the_search_was_too_lucky() -> None:
    answer, unlucky = answered_by(2.5), answered_by(1.5)
    plan = make_plan("ramp", SETTINGS)
    measured: list[MeasuredStage] = []
    while (stage := plan(measured)) is not None:
        measured.append((answer if stage.label == "search" else unlucky)(stage))
    assert described(measured)[5:] == [("ramp", 2), ("drain", 0), ("ramp", 1.6), ("drain", 0), ("ramp", 1.3)]


def test_a_ramp_ends_at_the_highest_rate_that_is_allowed() -> None:
    settings = PlanSettings(**(vars(SETTINGS) | {"max_rate": 3.0}))
    assert max(stage.level for stage in play("ramp", 1000, settings)) <= 3.0


def test_steps_are_equal() -> None:
    assert described(play("step", 100)) == [("step", 0.5), ("step", 1), ("step", 1.5)]


def test_a_spike_comes_back_to_where_it_began_and_is_not_judged_itself() -> None:
    stages = play("spike", 1.0)
    assert described(stages) == [("before", 0.5), ("spike", 1.5), ("after", 0.5)]
    assert [stage.judged for stage in stages] == [True, False, False]


def test_a_soak_keeps_to_its_rate() -> None:
    assert described(play("soak", 100)) == [("soak", 0.5)] * 3


def test_an_overload_is_three_times_what_the_server_did() -> None:
    stages = play("overload", 3.0)
    assert described(stages)[-3:] == [("before", 1.484), ("spike", 8.906), ("after", 1.484)]
    assert [stage.seconds for stage in stages[-3:]] == [12, 24, 12]
