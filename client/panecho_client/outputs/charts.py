"""Where things stand in a report's charts, in percent of their width."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from panecho_client._results import StudyResult
from panecho_client.outputs.reference_ranges import ReferenceRange

__all__ = ["Band", "Chart", "Dot", "chart_of_values", "probability_dots"]

MARGIN = 0.08  # of what is shown, on either side
LEAST_AXIS = 0.3  # of the study's value: a smaller spread looks small


@dataclass(frozen=True, kw_only=True)
class Dot:
    """The value of one file."""

    x: float
    title: str


@dataclass(frozen=True, kw_only=True)
class Band:
    """A reference range."""

    x: float
    width: float
    sex: str | None


@dataclass(frozen=True, kw_only=True)
class Chart:
    """The value of a study, those of its files, and reference ranges on one axis.

    Attributes:
        mark: Position of the study's value.
        dots: Values of the files.
        bands: Reference ranges.
        low: Value at the left end of the axis.
        high: Value at the right end.
    """

    mark: float
    dots: tuple[Dot, ...]
    bands: tuple[Band, ...]
    low: float
    high: float


def chart_of_values(value: float, values: Mapping[str, float], ranges: Sequence[ReferenceRange]) -> Chart | None:
    """Return the chart of a measurement; None when the study's value is no number.

    Args:
        value: The study's value.
        values: The files' values by the files' names.
        ranges: Reference ranges of the measurement.
    """
    if not math.isfinite(value):
        return None
    finite = {name: number for name, number in values.items() if math.isfinite(number)}
    limits = [limit for normal in ranges for limit in (normal.low, normal.high) if limit is not None]
    shown = [value, *finite.values(), *limits]
    spread = max(shown) - min(shown)
    margin = max(MARGIN * spread, ((LEAST_AXIS * abs(value) or 1) - spread) / 2)
    low, high = min(shown) - margin, max(shown) + margin

    def place(number: float) -> float:
        return round(100 * (number - low) / (high - low), 2)

    bands = []
    for normal in ranges:
        left = 0.0 if normal.low is None else place(normal.low)
        right = 100.0 if normal.high is None else place(normal.high)
        bands.append(Band(x=left, width=round(right - left, 2), sex=normal.sex))
    dots = tuple(Dot(x=place(number), title=f"{name}: {number:.3g}") for name, number in finite.items())
    return Chart(mark=place(value), dots=dots, bands=tuple(bands), low=low, high=high)


def probability_dots(study: StudyResult, names: Iterable[str], task: str, label: str) -> tuple[Dot, ...]:
    """Return the probability of one class in each file that was used.

    Args:
        study: The study.
        names: What its files are called.
        task: Name of the task.
        label: The class.
    """
    numbers = {
        name: video[task].probabilities[label] for name, video in zip(names, study.videos, strict=True) if video.ok
    }
    return tuple(
        Dot(x=round(100 * number, 2), title=f"{name}: {number:.3g}")
        for name, number in numbers.items()
        if math.isfinite(number)
    )
