"""Times alternatives in turn, so that whatever else the machine does hits all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Call: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one variant, round by round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle of all rounds, in seconds."""
        return statistics.median(self.seconds)

    def spread(self) -> str:
        """Return median and range in milliseconds, as "12.3 (11.9-14.0)"."""
        return _range([second * 1e3 for second in self.seconds], ".1f")

    def ratios(self, other: "Times") -> list[float]:
        """Divide by the times of another variant in the same rounds: above 1, this one is slower."""
        return [mine / theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True)]


def in_turn(calls: Mapping[str, Call], rounds: int, clock: Callable[[], float] = time.perf_counter) -> dict[str, Times]:
    """Call each once to warm up, then all of them in every round, each round beginning with another one.

    `clock` gives seconds: those that pass, or those that this process computes, which other work disturbs less.
    """
    for call in calls.values():
        call()
    names = list(calls)
    measured: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            measured[name].append(_seconds(calls[name], clock))
    return {name: Times(tuple(seconds)) for name, seconds in measured.items()}


def describe_ratio(ratios: list[float]) -> str:
    """Return median and range, as "5.1 (4.8-5.5)"."""
    return _range(ratios, ".2f")


def _seconds(call: Call, clock: Callable[[], float]) -> float:
    start = clock()
    call()
    return clock() - start


def _range(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"
