"""Subgroups by a column of the labels."""

import pytest

from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.subgroups import Subgroups


def test_each_value_is_a_group_and_so_are_missing_ones() -> None:
    groups = Subgroups.parse("sex").groups(["F", "M", "", "F"])
    assert {name: rows.tolist() for name, rows in groups.items()} == {
        "sex=F": [True, False, False, True],
        "sex=M": [False, True, False, False],
        "sex=missing": [False, False, True, False],
    }


def test_numbers_are_cut_and_a_cut_belongs_to_the_range_above() -> None:
    groups = Subgroups.parse("age:40,60").groups(["39.9", "40", "59", "60", ""])
    assert {name: rows.tolist().index(True) for name, rows in groups.items()} == {
        "age<40": 0,
        "40<=age<60": 1,
        "age>=60": 3,
        "age=missing": 4,
    }
    assert sum(rows.sum() for rows in groups.values()) == 5
    assert list(Subgroups.parse("age:40").groups(["50"])) == ["age>=40"]


@pytest.mark.parametrize("text", ["", "age:x", "age:60,40", "age:40,40", ":40", "age:nan"])
def test_texts_that_are_no_subgroups(text: str) -> None:
    with pytest.raises(EvaluationError, match=r"is not a COLUMN or COLUMN:CUT,CUT"):
        Subgroups.parse(text)


def test_too_many_values_and_text_among_numbers_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"has 21 different values, more than 20; cut numbers into ranges"):
        Subgroups("age").groups([str(number) for number in range(21)])
    with pytest.raises(EvaluationError, match=r"holds what is not a number: .*old"):
        Subgroups("age", (40.0,)).groups(["old"])
