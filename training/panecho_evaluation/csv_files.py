"""Tables in CSV files, read a row at a time, and files that are written whole."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from panecho_evaluation.errors import EvaluationError

__all__ = ["OnProgress", "Rows", "read_rows", "write_text"]

OnProgress: TypeAlias = Callable[[float], None]
"""Called with the share that is done, from 0 to 1."""

Rows: TypeAlias = Iterator[tuple[int, list[str]]]
"""Number of each row, the header being 1, and its fields."""

ROWS_A_STEP = 10_000
DELIMITERS = ",;\t"


@contextmanager
def read_rows(path: Path, on_progress: OnProgress = lambda _: None) -> Iterator[tuple[list[str], str, Rows]]:
    """Return the header of a CSV file, its delimiter (``,``, ``;`` or a tab) and its rows; empty lines are left out.

    Raises:
        EvaluationError: It cannot be read, is empty, is not UTF-8, or a row has more or fewer fields than the header.
    """
    try:
        size = max(path.stat().st_size, 1)
        with path.open("rb") as opened:
            text = io.TextIOWrapper(opened, encoding="utf-8-sig", newline="")
            first = text.readline()
            delimiter = max(DELIMITERS, key=first.count)
            header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
            if not any(header):
                raise EvaluationError(f"{path} is empty; it must begin with the names of its columns.")
            rows = csv.reader(text, delimiter=delimiter, strict=True)
            yield header, delimiter, _checked(path, rows, len(header), lambda: on_progress(opened.tell() / size))
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise EvaluationError(f"{path} is not UTF-8 text; save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise EvaluationError(f"{path} is not CSV: {error}.") from None


def _checked(path: Path, rows: Iterator[list[str]], width: int, on_step: Callable[[], None]) -> Rows:
    for number, row in enumerate(rows, 2):
        if number % ROWS_A_STEP == 0:
            on_step()
        if not any(row):
            continue
        if len(row) != width:
            raise EvaluationError(f"{path}: row {number} has {len(row)} fields and the header {width}.")
        yield number, row


def write_text(path: Path, text: str) -> Path:
    """Write a file, and return its path.

    Raises:
        EvaluationError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror or error}; name another folder.") from None
    return path
