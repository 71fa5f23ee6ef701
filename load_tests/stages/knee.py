"""The knee: how much load a server takes before it falls behind.

It is the highest offered rate of a stage that was sustained, and below which no measured stage was not. A stage is
sustained when it answered at least 95 % of what was due (or is at most two requests short), with p95 and error ratio
within their limits; ``thresholds.toml`` has the numbers.
"""

from collections.abc import Sequence

from load_tests.stages.stages import MeasuredStage
from load_tests.stages.thresholds import Sustained


def find_knee(stages: Sequence[MeasuredStage], sustained: Sustained, *, closed: bool = False) -> MeasuredStage | None:
    """Return the stage at the knee; None when the lightest load was too much already.

    Args:
        stages: Measured stages in any order; those without arrivals do not count.
        sustained: When a stage is.
        closed: Whether the stages' users waited for their answers: then the order is that of their number.
    """
    knee = None
    loaded = [stage for stage in stages if stage.arrivals]
    for stage in sorted(loaded, key=lambda stage: stage.level if closed else stage.offered):
        if not sustained.holds(stage, closed=closed):
            return knee
        knee = stage
    return knee


def knee_was_passed(stages: Sequence[MeasuredStage], sustained: Sustained, *, closed: bool = False) -> bool:
    """Tell whether any stage was not sustained: else the knee lies above what was tried."""
    return any(not sustained.holds(stage, closed=closed) for stage in stages if stage.arrivals)
