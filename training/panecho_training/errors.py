"""What can go wrong in a training.

TrainingError
├── TableError    the table of labelled videos cannot be used; the text lists its faults
├── RecipeError   a setting is wrong, or settings contradict each other
└── RunError      the run folder belongs to another run, or cannot be written
"""

from collections.abc import Sequence

FAULTS_SHOWN = 20


class TrainingError(Exception):
    """Anything that stops a training; its text says what to do. It names rows of tables, never patients or studies."""


class TableError(TrainingError):
    """A table of labelled videos, or a public data set, cannot be used."""


class RecipeError(TrainingError):
    """A setting of a recipe is wrong, or settings contradict each other."""


class RunError(TrainingError):
    """A run folder belongs to another run, or cannot be written."""


def listed(faults: Sequence[str], shown: int = FAULTS_SHOWN) -> str:
    """Return faults as lines of an error's text, the first ones in full."""
    more = [f"and {len(faults) - shown} more"] if len(faults) > shown else []
    return "".join(f"\n  {fault}" for fault in [*faults[:shown], *more])
