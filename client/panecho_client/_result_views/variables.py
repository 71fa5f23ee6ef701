"""Names of predictions in tables that SQL, R and pandas take as they are, and the order of classes.

PanEcho's own names (``AVPkVel(m|s)``, the class ``None``) stay in ``task`` and ``class``; these stand next to them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, Protocol

__all__ = ["Variable", "class_label", "clinical_order", "variables"]

# How severe the first word of a class is; other words, such as Dilated, are abnormal.
RANKS = {"normal": 0, "none": 0, "no": 0, "absent": 0, "0": 0}
RANKS |= {"mild": 1, "mildly": 1, "moderate": 2, "moderately": 2, "severe": 3, "severely": 3}
ABNORMAL = 1

# Classes that a table reader would take for a number.
WORDS = {"0.0": "no", "1.0": "yes"}

NAME_COLUMNS: Mapping[str, type[str]] = {"study": str, "patient": str, "path": str}
COUNT_COLUMNS: Mapping[str, type[str] | type[int]] = {
    "videos": int,
    "videos_used": int,
    "videos_skipped": int,
    "skipped_statuses": str,
}
ORIGIN_COLUMNS: Mapping[str, type[str] | type[bool]] = {
    "model": str,
    "version": str,
    "weights": str,
    "weights_sha256": str,
    "stand_in": bool,
    "model_precision": str,
    "warnings": str,
}
"""With the two above, the columns of a table of studies that are of no task."""

Role = Literal["value", "sd", "class"]


class NamedTask(Protocol):
    """What a name is made of."""

    @property
    def key(self) -> str:
        """PanEcho's name of the task."""

    @property
    def kind(self) -> str:
        """``regression``, ``binary`` or ``multiclass``."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in released order."""

    @property
    def positive_class(self) -> str | None:
        """Class whose probability a binary task reports."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A column of a table of studies.

    Example:
        >>> [variable.name for variable in variables(panecho.tasks) if variable.task == "AVStenosis"]
        ['avstenosis_none', 'avstenosis_mild_moderate', 'avstenosis_severe', 'avstenosis_class']

    Attributes:
        name: Lower-case letters, digits and underscores; it starts with a letter, and no other has it.
        task: PanEcho's name of the task.
        class_name: Class whose probability it holds; None for a measurement and for other roles than ``value``.
        role: ``value``; ``sd``, the standard deviation over the videos; or ``class``, the most probable class.
    """

    name: str
    task: str
    class_name: str | None
    role: Role


def variables(tasks: Iterable[NamedTask]) -> tuple[Variable, ...]:
    """Return the columns of tasks, in their order; classes from normal to severe."""
    found: list[Variable] = []
    taken = {*NAME_COLUMNS, *COUNT_COLUMNS, *ORIGIN_COLUMNS}
    for task in tasks:
        base = _safe(task.key) or "task"
        names = (base if number == 1 else f"{base}_{number}" for number in count(1))
        made = next(made for made in ([*_of_task(task, name)] for name in names) if taken.isdisjoint(_names(made)))
        taken.update(_names(made))
        found += made
    return tuple(found)


def class_label(task: str, class_name: str) -> str:
    """Return a class with its task, ``AVStenosis:None``: the class alone reads as missing, or as a number."""
    return f"{task}:{class_name}"


def clinical_order(classes: Sequence[str]) -> tuple[str, ...]:
    """Return classes from normal to severe, by their first words; those of one rank as they were."""
    return tuple(sorted(classes, key=_rank))


def reported_classes(task: NamedTask) -> Sequence[str | None]:
    """Return the classes whose probabilities a prediction consists of, normal first; of a measurement None alone."""
    if task.kind == "multiclass":
        return clinical_order(task.classes)
    return [task.positive_class]


def _of_task(task: NamedTask, base: str) -> Iterator[Variable]:
    if task.kind == "regression":
        yield Variable(name=base, task=task.key, class_name=None, role="value")
        yield Variable(name=f"{base}_sd", task=task.key, class_name=None, role="sd")
        return
    classes = reported_classes(task)
    endings = [_safe(WORDS.get(str(name), str(name))) for name in classes]
    if len({*endings, "", "class"}) < len(endings) + 2:
        endings = [str(number) for number in range(len(classes))]
    for name, ending in zip(classes, endings, strict=True):
        yield Variable(name=f"{base}_{ending}", task=task.key, class_name=name, role="value")
    yield Variable(name=f"{base}_class", task=task.key, class_name=None, role="class")


def _names(of: Iterable[Variable]) -> list[str]:
    return [variable.name for variable in of]


def _safe(text: str) -> str:
    name = re.sub("[^0-9a-z]+", "_", text.lower()).strip("_")
    return f"x_{name}" if name[:1].isdecimal() else name


def _rank(name: str) -> int:
    return RANKS.get(re.split("[^0-9a-z]", name.lower(), maxsplit=1)[0], ABNORMAL)
