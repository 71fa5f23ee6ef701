"""Groups of studies by a column of the labels: sex, scanner, site, age."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.errors import EvaluationError

__all__ = ["Subgroups"]

MOST_VALUES = 20
MISSING = "missing"


@dataclass(frozen=True)
class Subgroups:
    """How a column divides the studies.

    Attributes:
        column: Name of a column of the labels.
        cuts: Where a column of numbers is cut, in rising order; without, each value is a group.
    """

    column: str
    cuts: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the subgroups that a text such as ``sex`` or ``age:40,60,80`` names.

        Raises:
            EvaluationError: The cuts are not rising numbers.
        """
        column, _, cuts = text.partition(":")
        try:
            numbers = tuple(float(cut) for cut in cuts.split(",")) if cuts else ()
        except ValueError:
            numbers = (math.nan,)
        rising = all(low < high for low, high in pairwise(numbers)) and all(map(math.isfinite, numbers))
        if not (column and rising):
            raise EvaluationError(f"{text!r} is not a COLUMN or COLUMN:CUT,CUT with rising numbers, such as age:40,60.")
        return cls(column, numbers)

    def groups(self, values: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
        """Return the studies of each group, bool [N], by the group's name, such as ``sex=F`` or ``age>=80``.

        Args:
            values: The column, [N]; an empty one is missing.

        Raises:
            EvaluationError: A value is not a number though the column is to be cut, or there are too many values.
        """
        column = np.array(values, dtype=str)
        missing = column == ""
        groups = self._ranges(column, missing) if self.cuts else self._values(column, missing)
        groups |= {f"{self.column}={MISSING}": missing}
        return {name: rows for name, rows in groups.items() if rows.any()}

    def _values(self, column: NDArray[np.str_], missing: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        found = np.unique(column[~missing])
        if len(found) > MOST_VALUES:
            raise EvaluationError(
                f"the column {self.column} has {len(found)} different values, more than {MOST_VALUES}; "
                f"cut numbers into ranges, such as {self.column}:40,60, or name another column."
            )
        return {f"{self.column}={value}": column == value for value in found}

    def _ranges(self, column: NDArray[np.str_], missing: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        numbers = np.full(len(column), np.nan)
        try:
            numbers[~missing] = column[~missing].astype(np.float64)
        except ValueError as error:
            raise EvaluationError(f"the column {self.column} holds what is not a number: {error}.") from None
        edges = [-math.inf, *self.cuts, math.inf]
        return {self._range_name(low, high): (numbers >= low) & (numbers < high) for low, high in pairwise(edges)}

    def _range_name(self, low: float, high: float) -> str:
        if low == -math.inf:
            return f"{self.column}<{high:g}"
        return f"{self.column}>={low:g}" if high == math.inf else f"{low:g}<={self.column}<{high:g}"
