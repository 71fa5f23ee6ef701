"""Reference ranges: every one has a source and the task's unit; none is given where no guideline does."""

import math

import pytest

from panecho_client._description import Description
from panecho_client.outputs.reference_ranges import GUIDELINES, INDEXED, WHY_NO_RANGE, reference_ranges, why_no_range


def test_ranges_are_of_measurements_and_every_measurement_has_one_or_says_why_not(description: Description) -> None:
    measurements = {task.key for task in description.tasks if task.kind == "regression"}
    assert GUIDELINES.keys() | WHY_NO_RANGE.keys() == measurements | INDEXED.keys()
    assert not GUIDELINES.keys() & WHY_NO_RANGE.keys()
    assert {*INDEXED.values()} <= measurements


def test_every_range_is_in_order_and_has_a_source(description: Description) -> None:
    means = {task.key: task.training_mean for task in description.tasks}
    for key, ranges in GUIDELINES.items():
        assert [normal.sex for normal in ranges] in (["F", "M"], [None])
        for normal in ranges:
            assert "J Am Soc Echocardiogr" in normal.source.citation
            assert normal.source.doi.startswith("10.1016/j.echo.")
            low = -math.inf if normal.low is None else normal.low
            high = math.inf if normal.high is None else normal.high
            assert low < high
            for lower, upper in ((grade.low, grade.high) for grade in normal.grades):
                assert not (lower is not None and normal.contains(lower))
                assert not (upper is not None and normal.contains(upper))
            # A wrong unit would be off by ten; patients of an echo laboratory are near the healthy.
            mean = means[INDEXED.get(key, key)]
            assert mean is not None
            mean /= 1.9 if key in INDEXED else 1
            assert 0.7 * low < mean < 1.4 * high


@pytest.mark.parametrize(
    ("key", "sex", "texts"),
    [
        ("EF", "F", ["54 to 74"]),
        ("EF", "M", ["52 to 72"]),
        ("EF", "O", ["54 to 74", "52 to 72"]),
        ("EF", None, ["54 to 74", "52 to 72"]),
        ("TAPSE", "M", ["≥ 1.7"]),
        ("E|EAvg", None, ["≤ 8"]),
        ("GLS", None, []),
        ("AVStenosis", "F", []),
        ("unknown", None, []),
    ],
)
def test_ranges_by_sex(key: str, sex: str | None, texts: list[str]) -> None:
    assert [normal.text for normal in reference_ranges(key, sex=sex)] == texts


def test_limits_belong_to_a_range() -> None:
    (ejection,) = reference_ranges("EF", sex="M")
    (excursion,) = reference_ranges("TAPSE")
    (ratio,) = reference_ranges("E|EAvg")
    assert [ejection.contains(value) for value in (51.9, 52, 72, 72.1, math.nan)] == [False, True, True, False, False]
    assert [excursion.contains(value) for value in (1.69, 1.7, 9, math.nan)] == [False, True, True, False]
    assert [ratio.contains(value) for value in (0, 8, 8.1, math.nan)] == [True, True, False, False]


def test_why_there_is_none() -> None:
    assert "per body surface" in (why_no_range("LAVol") or "")
    assert why_no_range("EF") is None


def test_every_step_of_a_guideline_is_reached_once() -> None:
    for ranges in GUIDELINES.values():
        for normal in ranges:
            for value in (number / 10 for number in range(1, 1000)):
                assert sum(grade.contains(value) for grade in normal.grades) <= 1
