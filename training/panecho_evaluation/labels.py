"""Tables of labels: a row per study, or per file of it."""

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.arrays import Floats
from panecho_evaluation.csv_files import OnProgress, read_rows
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.label_values import LabelParser
from panecho_model.tasks import Task

__all__ = ["LabelTable", "identifying_columns", "read_labels"]

IDENTIFIERS = {
    "study": ("study", "studyinstanceuid", "studyuid"),
    "file": ("file", "video", "path", "filename"),
    "patient": ("patient", "patientid"),
    "split": ("split", "fold"),
}
"""What a column that says whose the labels are may be called: letters alone, however they are capitalised."""

FAULTS_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """N rows of labels.

    Attributes:
        path: The file.
        sha256: Of the file.
        rows: Number of each row in the file, the header being 1, [N].
        studies: Study Instance UID, or what results call the study, [N]; empty where the row does not say.
        files: File of the study, [N]; empty where the row does not say.
        patients: Patient, [N]; empty where the row does not say.
        values: Labels of each task, [N]; NaN where one is missing.
        columns: All other columns, [N] each, and ``split``.
    """

    path: Path
    sha256: str
    rows: NDArray[np.intp]
    studies: tuple[str, ...]
    files: tuple[str, ...]
    patients: tuple[str, ...]
    values: Mapping[str, Floats]
    columns: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)


def read_labels(
    path: Path, tasks: Sequence[Task], *, splits: Sequence[str] = (), on_progress: OnProgress = lambda _: None
) -> LabelTable:
    """Read a table of labels.

    Args:
        path: A CSV file with ``,``, ``;`` or tabs. It has a column ``study`` or ``file`` and one per task; ``patient``,
            ``split`` and any others may be there.
        tasks: Tasks that were predicted.
        splits: Values of the column ``split`` to read; all rows without.
        on_progress: Called with the share that is read.

    Raises:
        EvaluationError: It cannot be read, names no study or no task, or holds labels that a task does not have.
    """
    with read_rows(path, on_progress) as (header, delimiter, lines):
        places = identifying_columns(path, header)
        if splits and "split" not in places:
            raise EvaluationError(f"{path} has no column split; leave --split out.")
        labelled = _labelled(path, header, tasks, set(places.values()))
        kept = [(number, line) for number, line in lines if not splits or line[places["split"]].strip() in splits]
    if not kept:
        raise EvaluationError(f"{path} has no row{' of split ' + ', '.join(splits) if splits else ''}.")
    numbers, table = zip(*kept, strict=True)
    text = {name: tuple(line[place].strip() for line in table) for name, place in places.items()}
    nothing = ("",) * len(table)
    others = [place for place in range(len(header)) if place not in places.values()]
    return LabelTable(
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        rows=np.array(numbers),
        studies=text.get("study", nothing),
        files=text.get("file", nothing),
        patients=text.get("patient", nothing),
        values=_values(path, numbers, table, labelled, decimal_comma=delimiter == ";"),
        columns={header[place]: tuple(line[place].strip() for line in table) for place in others}
        | {name: text[name] for name in ("split",) if name in text},
    )


def identifying_columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Return the places of the columns that say whose the labels are: study, file, patient, split.

    Raises:
        EvaluationError: There is neither ``study`` nor ``file``.
    """
    plain = ["".join(filter(str.isalpha, name)).lower() for name in header]
    places = {
        name: next(plain.index(alias) for alias in aliases if alias in plain)
        for name, aliases in IDENTIFIERS.items()
        if set(aliases) & set(plain)
    }
    if not places.keys() & {"study", "file"}:
        raise EvaluationError(f"{path} has neither a column study (Study Instance UID or pseudonym) nor file.")
    return places


def _labelled(path: Path, header: Sequence[str], tasks: Sequence[Task], taken: set[int]) -> dict[int, Task]:
    """Return the task of each column of labels."""
    known = {task.key.lower(): task for task in tasks}
    labelled = {
        place: known[name.lower()] for place, name in enumerate(header) if place not in taken and name.lower() in known
    }
    twice = [task.key for task in labelled.values() if list(labelled.values()).count(task) > 1]
    if twice:
        raise EvaluationError(f"{path} has two columns of {twice[0]}; remove one.")
    if not labelled:
        close = [match for name in header for match in difflib.get_close_matches(name.lower(), known, 1)]
        hint = f"; did you mean {known[close[0]].key}?" if close else "."
        raise EvaluationError(f"{path} has no column of a task that was predicted, such as {tasks[0].key}{hint}")
    return labelled


def _values(
    path: Path,
    numbers: Sequence[int],
    table: Sequence[Sequence[str]],
    labelled: Mapping[int, Task],
    *,
    decimal_comma: bool,
) -> dict[str, Floats]:
    values: dict[str, Floats] = {}
    faults: list[str] = []
    for place, task in labelled.items():
        parser = LabelParser(task, decimal_comma=decimal_comma)
        column = np.full(len(table), np.nan)
        for index, line in enumerate(table):
            try:
                column[index] = parser.parse(line[place])
            except ValueError as error:
                faults.append(f"row {numbers[index]}, {task.key}: {error}")
        values[task.key] = column
    if faults:
        more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        raise EvaluationError(f"{path} holds wrong labels: {'; '.join(faults[:FAULTS_SHOWN])}{more}.")
    return values
