"""The rows of a public data set, and how its own tables are read."""

import csv
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from panecho_training.errors import TableError, listed

__all__ = ["DatasetRows", "find_file", "number", "read_records"]

Record = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class DatasetRows:
    """A data set as a table of labelled videos.

    Attributes:
        columns: Names of the columns; ``video`` is the first.
        rows: Cells of each video; a column that is missing is empty.
        notes: What was left out or chosen, for whoever made the table.
        missing: Videos that the set lists and that are not in the folder.
    """

    columns: Sequence[str]
    rows: list[dict[str, str]]
    notes: list[str] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)

    def to_csv(self) -> str:
        """Return the table as CSV text.

        Raises:
            TableError: Videos are missing; the text names them.
        """
        if self.missing:
            faults = [str(path) for path in self.missing]
            raise TableError(
                f"{len(faults)} listed videos are not in the folder; unpack the data set whole, or leave them out with "
                f"--leave-out-missing:{listed(faults, 10)}"
            )
        if not self.rows:
            raise TableError("the data set lists no video; is this the folder that it was unpacked to?")
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()


def find_file(folder: Path, name: str, depth: int = 2) -> Path:
    """Return the file of a name in the folder, or in a folder or two below it: archives often unpack into another.

    Raises:
        TableError: There is none.
    """
    for level in range(depth + 1):
        found = sorted(folder.glob("*/" * level + name))
        if found:
            return found[0]
    raise TableError(f"{folder} holds no {name}; name the folder that the data set was unpacked to.")


def read_records(path: Path, needed: Sequence[str]) -> Iterator[Record]:
    """Yield the rows of a CSV file, plain or gzipped, by the names of its columns; a byte order mark is skipped.

    Raises:
        TableError: It cannot be read, or a column is missing.
    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig", newline="") as file
        ):
            reader = csv.DictReader(file)
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise TableError(f"{path} has no column {', '.join(missing)}; is it of this data set?")
            for record in reader:
                yield {name: (value or "").strip() for name, value in record.items() if isinstance(name, str)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path} cannot be read: {error}") from None


def number(text: str) -> str:
    """Return a number's text; empty for a missing one, however it is written."""
    return "" if text.lower() in ("", "nan", "na", "none", "null") else text
