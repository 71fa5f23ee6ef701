"""The order of classes that are grades: ``None|Trace`` before ``Mild`` before ``Moderate|Severe``."""

from collections.abc import Sequence

__all__ = ["grade_order"]

STEPS = (("none", "normal", "trace"), ("mild",), ("moderate",), ("severe",))
"""Beginnings of the words that tell a grade, from the lowest on."""


def grade_order(classes: Sequence[str]) -> tuple[int, ...] | None:
    """Return the indices of the classes from the lowest grade to the highest; None where they are not grades.

    A class of several grades stands where its lowest does.

    Example:
        >>> grade_order(["Mild|Moderate", "None", "Severe"])
        (1, 0, 2)
        >>> grade_order(["A4C", "PLAX"]) is None
        True
    """
    grades = [_grade(name) for name in classes]
    if None in grades or len(set(grades)) < len(grades):
        return None
    return tuple(sorted(range(len(classes)), key=lambda index: grades[index] or 0))


def _grade(name: str) -> int | None:
    words = name.lower().replace("|", " ").replace("_", " ").split()
    found = (step for step, beginnings in enumerate(STEPS) for word in words if any(map(word.startswith, beginnings)))
    return next(found, None)
