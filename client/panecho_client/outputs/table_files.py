"""Rows of tables in CSV and Parquet files."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from panecho_client._exceptions import RequestError
from panecho_client._identity.optional_packages import needs_reports_extra

__all__ = ["Columns", "Row", "append_csv", "csv_text", "read_csv", "write_parquet"]

Row: TypeAlias = Mapping[str, str | float | bool | None]
Columns: TypeAlias = Mapping[str, type[str] | type[float] | type[int] | type[bool]]

ROW_GROUP = 65_536


def append_csv(path: Path, rows: Iterable[Row], columns: Columns) -> None:
    """Append rows to a CSV file as RFC 4180 has it, UTF-8; a new or empty file gets the columns' names first.

    What is missing or no number is an empty field; truth values are ``true`` and ``false``.

    Raises:
        RequestError: The file holds other columns.
        OSError: It cannot be written.
    """
    with path.open("a+", encoding="utf-8", newline="") as opened:
        opened.seek(0)
        present = next(csv.reader(opened), None)
        if present not in (None, list(columns)):
            raise RequestError(f"{path} holds other columns than these rows; write to another file.")
        writer = csv.writer(opened)
        if present is None:
            writer.writerow(columns)
        writer.writerows(_records(rows, columns))


def csv_text(rows: Iterable[Row], columns: Columns) -> str:
    """Return what ``append_csv`` writes to a new file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(_records(rows, columns))
    return text.getvalue()


def read_csv(path: Path, columns: Columns) -> list[Row]:
    """Read what ``append_csv`` wrote; empty fields are None.

    Raises:
        RequestError: The file holds other columns.
        OSError, ValueError: It cannot be read, or is no such table.
    """
    with path.open(encoding="utf-8", newline="") as opened:
        reader = csv.DictReader(opened)
        if reader.fieldnames != list(columns):
            raise RequestError(f"{path} holds other columns than expected.")
        return [{name: _parsed(row[name], kind) for name, kind in columns.items()} for row in reader]


def write_parquet(path: Path, rows: Iterable[Row], columns: Columns) -> None:
    """Write rows as a Parquet file with typed columns, some thousand rows at a time; NaN becomes null.

    Raises:
        RequestError: The extra ``reports`` is not installed.
        OSError: The file cannot be written.
    """
    with needs_reports_extra():
        import pyarrow as pa  # noqa: PLC0415 - part of an extra
        from pyarrow import parquet  # noqa: PLC0415 - part of an extra
    types = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    remaining = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while group := [{name: _present(row[name]) for name in columns} for row in islice(remaining, ROW_GROUP)]:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _records(rows: Iterable[Row], columns: Columns) -> Iterator[list[str | float | None]]:
    return ([_field(row[name]) for name in columns] for row in rows)


def _present(value: str | float | bool | None) -> str | float | bool | None:  # noqa: FBT001 - a cell of any type
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _field(value: str | float | bool | None) -> str | float | None:  # noqa: FBT001 - a cell of any type
    return str(value).lower() if isinstance(value, bool) else _present(value)


def _parsed(text: str, kind: type) -> str | float | bool | None:
    if not text:
        return None
    return text == "true" if kind is bool else kind(text)
