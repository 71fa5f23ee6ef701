"""The time of each frame of a DICOM cine (PS3.3 C.7.6.5)."""

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

_FRAME_TIME = 0x00181063

# Slower than one frame in ten seconds or faster than 1000 per second is not an echo: the element is wrong.
_FASTEST, _SLOWEST = 0.001, 10.0


def frame_seconds(dataset: Dataset, count: int) -> NDArray[np.float64] | None:
    """Return the time of each frame in seconds from the first, float64 [count]; None where the header has no times.

    FrameTimeVector (increments, the first of them 0) is preferred to FrameTime, unless FrameIncrementPointer names the
    latter; CineRate and RecommendedDisplayFrameRate, the speed of display, come last.
    """
    by_vector = _from_vector(numbers(dataset, "FrameTimeVector"), count)
    by_time = _evenly(1000, numbers(dataset, "FrameTime"), count)
    first, second = (by_time, by_vector) if _points_at_frame_time(dataset) else (by_vector, by_time)
    for seconds in (first, second):
        if seconds is not None:
            return seconds
    for keyword in ("CineRate", "RecommendedDisplayFrameRate"):
        rates = numbers(dataset, keyword)
        if len(rates) == 1 and rates[0] > 0:
            return _evenly(1, 1 / rates, count)
    return None


def stated_rate(dataset: Dataset) -> float | None:
    """Return the frames per second by which the published preparation selects: of CineRate, else FrameTime, else None.

    Rounded to a tenth, as FrameTime is.
    """
    rate, time = numbers(dataset, "CineRate"), numbers(dataset, "FrameTime")
    if len(rate) == 1 and rate[0] > 0:
        return round(float(rate[0]), 1)
    return round(float(1000 / time[0]), 1) if len(time) == 1 and time[0] > 0 else None


def _from_vector(increments: NDArray[np.float64], count: int) -> NDArray[np.float64] | None:
    if len(increments) < max(count, 2):
        return None
    seconds = np.cumsum(increments[:count] / 1000)
    steps = np.diff(seconds)
    return seconds - seconds[0] if _plausible(steps) else None


def _evenly(per_second: float, steps: NDArray[np.float64], count: int) -> NDArray[np.float64] | None:
    return np.arange(count) * (steps[0] / per_second) if len(steps) == 1 and _plausible(steps / per_second) else None


def _plausible(steps: NDArray[np.float64]) -> bool:
    return bool(len(steps) and np.all((steps >= _FASTEST) & (steps <= _SLOWEST)))


def _points_at_frame_time(dataset: Dataset) -> bool:
    try:
        return bool(dataset.get("FrameIncrementPointer") == _FRAME_TIME)
    except Exception:  # noqa: BLE001  # pydicom converts on access and raises many kinds on garbage
        return False


def numbers(dataset: Dataset, keyword: str) -> NDArray[np.float64]:
    """Return an element's numbers, float64 [n]; none where it is missing or garbage."""
    try:
        value = dataset.get(keyword)
        numbers = np.atleast_1d(np.array([] if value is None else value, dtype=np.float64))
    except Exception:  # noqa: BLE001  # as above
        return np.empty(0)
    return numbers if np.isfinite(numbers).all() else np.empty(0)
