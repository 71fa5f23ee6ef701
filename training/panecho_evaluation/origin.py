"""Whose predictions a table holds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from panecho_evaluation.errors import EvaluationError

__all__ = ["ORIGIN", "OriginReader"]

ORIGIN = ("model", "version", "weights", "weights_sha256", "stand_in", "model_precision", "warnings")
"""Columns of every table of ``panecho_client.outputs``."""


class OriginReader:
    """The origin of a table's rows, which must be the same in all of them."""

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        missing = [name for name in ORIGIN if name not in header]
        if missing:
            raise EvaluationError(f"{path} has no column {missing[0]}: it is not a table that `panecho predict` wrote.")
        self._path = path
        self._places = [header.index(name) for name in ORIGIN]
        self._first: list[str] | None = None

    def read(self, row: Sequence[str]) -> None:
        """Compare a row with those before it.

        Raises:
            EvaluationError: It is of another model.
        """
        origin = [row[place] for place in self._places]
        if self._first is None:
            self._first = origin
        elif origin != self._first:
            name, was, now = next(
                (name, was, now) for name, was, now in zip(ORIGIN, self._first, origin, strict=True) if was != now
            )
            raise EvaluationError(
                f"{self._path} holds predictions of two models: {name} is {was!r} and {now!r}; evaluate them apart."
            )

    @property
    def origin(self) -> Mapping[str, str]:
        """The origin of the rows that were read; empty without a row."""
        return dict(zip(ORIGIN, self._first, strict=True)) if self._first else {}
