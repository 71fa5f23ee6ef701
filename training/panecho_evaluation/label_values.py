"""What a cell of a table of labels means for a task."""

import math
import re

from panecho_model.tasks import Task

__all__ = ["LabelParser"]

MISSING = ("", "na", "n/a", "nan", "null")
YES = ("1", "1.0", "true", "yes")
NO = ("0", "0.0", "false", "no")


class LabelParser:
    """The labels of a task: numbers, or names of classes however they are capitalised.

    Each part of a class such as ``Moderate|Severe`` names it too. The positive class of a binary task is also 1, true
    or yes, the other one 0, false or no. An empty cell, NA, N/A, NaN and null are missing labels.

    Example:
        >>> LabelParser(task("AVRegurg")).parse("severe")
        1.0

    Args:
        task: The task.
        decimal_comma: Whether 55,5 is a number.
    """

    def __init__(self, task: Task, *, decimal_comma: bool = False) -> None:
        self._task = task
        self._decimal_comma = decimal_comma
        self._values = _class_values(task)

    def parse(self, text: str) -> float:
        """Return the label: a measurement, 0 or 1, or the index of the class; NaN of a missing one.

        Raises:
            ValueError: It is not one of these; the text says what would be.
        """
        if text.strip().lower() in MISSING:
            return math.nan
        if self._task.kind != "regression":
            return self._class(text)
        try:
            number = float(text.replace(",", ".") if self._decimal_comma else text)
        except ValueError:
            number = math.inf
        if math.isinf(number):
            raise ValueError(f"{text!r} is not a number")
        return number

    def _class(self, text: str) -> float:
        value = self._values.get(_plain(text))
        if value is None:
            raise ValueError(f"{text!r} is not one of {', '.join(self._task.classes)}")
        return value


def _class_values(task: Task) -> dict[str, float]:
    """Return the label of each name, exact names of classes before parts of them."""
    values: dict[str, float] = {}
    if task.kind == "binary":
        numbers = {name: float(name == task.positive_class) for name in task.classes}
        values = dict.fromkeys(NO, 0.0) | dict.fromkeys(YES, 1.0)
    else:
        numbers = {name: float(index) for index, name in enumerate(task.classes)}
    parts = {_plain(part): number for name, number in numbers.items() for part in _parts(name)}
    return parts | values | {_plain(name): number for name, number in numbers.items()}


def _parts(name: str) -> list[str]:
    """Return the classes of a class of several; ``Moderately|Severely Increased`` is also ``Moderately Increased``."""
    parts = name.split("|")
    last, _, shared = parts[-1].partition(" ")
    return [*parts, last, *(f"{part} {shared}" for part in parts[:-1])]


def _plain(text: str) -> str:
    return re.sub(r"[\s_]+", " ", text).strip().lower()
