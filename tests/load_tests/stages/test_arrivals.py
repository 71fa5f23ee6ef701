"""Arrivals are due at the rate that was asked for, evenly or at random."""

import itertools
from random import Random

import numpy as np
import pytest
from load_tests.stages.arrivals import Phases, constant, poisson


def test_constant_arrivals_are_evenly_spaced_and_none_is_due_before_the_begin() -> None:
    due = list(itertools.islice(constant(2.0, 0.25, 100.3), 4))
    assert due == [100.625, 101.125, 101.625, 102.125]


def test_users_together_are_nearly_evenly_spaced() -> None:
    phases = Phases(0.0)
    users = [constant(0.1, phases.take()[1], 0.0) for _ in range(8)]
    due = sorted(itertools.chain.from_iterable(itertools.islice(user, 10) for user in users))
    gaps = np.diff([time for time in due if time < 90])
    assert len({round(float(gap), 6) for gap in gaps}) <= 3
    assert gaps.max() < 3 * gaps.min()


def test_a_phase_that_is_given_back_is_the_next_to_be_taken() -> None:
    phases = Phases(0.5)
    taken = [phases.take() for _ in range(3)]
    phases.give_back(taken[1][0])
    assert phases.take() == taken[1]
    assert phases.take()[0] == 3


def test_poisson_arrivals_come_at_the_rate_and_at_random() -> None:
    due = np.array(list(itertools.islice(poisson(5.0, 0.0, Random(0)), 5000)))  # noqa: S311 - no secret
    gaps = np.diff(due, prepend=0.0)
    assert gaps.mean() == pytest.approx(0.2, rel=0.05)
    assert gaps.std() == pytest.approx(0.2, rel=0.05)  # of an exponential distribution, as its mean
