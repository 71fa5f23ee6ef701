"""A table of your own: adds the split of each row, by patient."""

import csv
import hashlib
import io
from pathlib import Path

from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.labels import identifying_columns
from panecho_training.errors import TableError
from panecho_training.table import Rows

__all__ = ["split_of", "with_splits"]

PARTS = 20
VAL, TEST = (range(14, 17), range(17, 20))
"""Of 20 parts of the patients, 14 train, 3 validate and 3 test."""


def split_of(patient: str) -> str:
    """Return the split of a patient: always the same, whatever the table."""
    part = int(hashlib.sha256(patient.encode()).hexdigest(), 16) % PARTS
    return "val" if part in VAL else "test" if part in TEST else "train"


def with_splits(path: Path) -> str:
    """Return the table as CSV text with a column ``split`` behind its own: about 70, 15 and 15 of 100 patients.

    Whose a row is the column ``patient`` says, else ``study``, else each video is a patient.

    Raises:
        TableError: It cannot be read, has a column split, or none that names videos.
    """
    rows = Rows(path)
    try:
        places = identifying_columns(path, rows.header)
    except EvaluationError as error:
        raise TableError(str(error)) from None
    if "split" in places:
        raise TableError(f"{path} has a column split; train on it as it is, or take the column out.")
    if "file" not in places:
        raise TableError(f"{path} has no column video; it needs the path of each video's file, relative to the table.")
    named = [rows.column(places.get(name)) for name in ("patient", "study", "file")]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*rows.header, "split"])
    for (_, line), patient, study, file in zip(rows.lines, *named, strict=True):
        writer.writerow([*line, split_of(patient or study or file)])
    return text.getvalue()
