"""When requests are due that do not wait for earlier answers (the open model).

Users of a constant rate share one clock, and each takes a different phase on it, so that together they are evenly
spaced: phases are multiples of the golden ratio, of which any first N leave gaps of at most three lengths.
"""

import itertools
import math
from collections.abc import Iterator
from random import Random

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


def constant(rate: float, phase: float, begin: float) -> Iterator[float]:
    """Yield times ``1 / rate`` apart.

    Args:
        rate: Per second.
        phase: Place on the common clock, as a fraction of the time between two arrivals.
        begin: Nothing is due before, seconds.
    """
    first = math.ceil(begin * rate - phase)
    for number in itertools.count(first):
        yield (number + phase) / rate


def poisson(rate: float, begin: float, random: Random) -> Iterator[float]:
    """Yield the times of a Poisson process: independent of each other, as those of many unrelated callers."""
    due = begin
    while True:
        due += random.expovariate(rate)
        yield due


class Phases:
    """Gives each user of a process a phase, and takes it back: always the lowest that are free."""

    def __init__(self, offset: float) -> None:
        self._offset = offset
        self._taken: set[int] = set()

    def take(self) -> tuple[int, float]:
        """Return a number to give back, and the phase, from 0 to below 1."""
        number = next(number for number in itertools.count() if number not in self._taken)
        self._taken.add(number)
        return number, (self._offset + number * GOLDEN_RATIO) % 1

    def give_back(self, number: int) -> None:
        """Let another user have the phase."""
        self._taken.discard(number)
