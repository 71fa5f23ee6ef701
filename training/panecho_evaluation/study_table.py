"""Studies that a table of labels names by their files, to be predicted."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from panecho_client import find_files
from panecho_client.cli import StudyFiles
from panecho_client.sources import LocalStudy
from panecho_evaluation.csv_files import read_rows
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.labels import identifying_columns
from panecho_evaluation.study_names import table_name

__all__ = ["TableStudy", "read_studies"]

FAULTS_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class TableStudy:
    """A study of a table, as a run over many studies takes it.

    Attributes:
        text: What the table calls it: the column ``study``, or without one the file.
        paths: Its files, or folders and ZIP files that hold them.
    """

    text: str
    paths: tuple[Path, ...]

    def name(self, *, include_identifiers: bool, pseudonym_key: bytes) -> str:
        """Return what results call the study."""
        return self.text if include_identifiers else table_name(self.text, pseudonym_key)

    def opened(self) -> AbstractContextManager[Callable[[], StudyFiles]]:
        """Give the function that finds its files, or raises PanEchoError."""
        return nullcontext(lambda: StudyFiles(headers=LocalStudy(find_files(self.paths).files).headers))


def read_studies(path: Path, splits: Sequence[str] = ()) -> list[TableStudy]:
    """Return the studies of a table, in the order of their first rows.

    Args:
        path: A table as of ``read_labels``, with a column ``file``: a file, folder or ZIP file, relative to the table.
            Rows of the same ``study`` are one study; without that column, each row is.
        splits: Values of the column ``split`` to read; all rows without.

    Raises:
        EvaluationError: The table cannot be read, names no file, or files are missing.
    """
    studies: dict[str, list[Path]] = {}
    faults: list[str] = []
    with read_rows(path) as (header, _, rows):
        places = identifying_columns(path, header)
        if "file" not in places:
            raise EvaluationError(f"{path} has no column file: without it there is nothing to predict.")
        if splits and "split" not in places:
            raise EvaluationError(f"{path} has no column split; leave --split out.")
        for number, row in rows:
            if splits and row[places["split"]].strip() not in splits:
                continue
            file = row[places["file"]].strip()
            if not file or not (path.parent / file).exists():
                faults.append(f"row {number}: {'no file' if not file else 'the file does not exist'}")
                continue
            text = (row[places["study"]].strip() if "study" in places else "") or file
            studies.setdefault(text, []).append(path.parent / file)
    if faults:
        more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        raise EvaluationError(f"{path}: {'; '.join(faults[:FAULTS_SHOWN])}{more}.")
    if not studies:
        raise EvaluationError(f"{path} has no row{' of split ' + ', '.join(splits) if splits else ''}.")
    return [TableStudy(text=text, paths=tuple(files)) for text, files in studies.items()]
