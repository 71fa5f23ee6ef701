"""Which videos that are not DICOM make one study: each file, each folder, a part of the path, or a table."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from panecho_client._exceptions import RequestError
from panecho_client._files.found_files import shown_path
from panecho_client._files.whole_files import accessing
from panecho_client._files.zip_files import zip_of

__all__ = ["BY_FILE", "BY_FOLDER", "VideoStudies"]

FILE_COLUMNS = ("file", "filename", "path", "video")
STUDY_COLUMNS = ("study", "study_id", "studyid")


@dataclass(frozen=True)
class VideoStudies:
    """Names the study of a video.

    Example:
        >>> group_studies(files, videos=VideoStudies.parse("patient([0-9]+)_"))

    Attributes:
        rule: What makes a study: each ``file``; the files of a ``folder`` or ZIP file; files in whose paths a
            ``pattern`` finds the same; or what a ``table`` says.
        pattern: Regular expression; its first group, or the whole match, names the study.
        table: Studies by the names of files, in small letters, with and without suffix.
    """

    rule: Literal["file", "folder", "pattern", "table"]
    pattern: re.Pattern[str] | None = None
    table: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what ``file``, ``folder``, the name of a CSV file or a regular expression says.

        A CSV file has a column ``file`` (or ``FileName``, as in EchoNet-Dynamic's ``FileList.csv``) and may have a
        column ``study``; without it each file is a study. It is joined by the names of files, with or without suffix.

        Raises:
            RequestError: It is none of them.
            FilesError: The CSV file cannot be read.
        """
        if text in ("file", "folder"):
            return cls("file" if text == "file" else "folder")
        if text.lower().endswith(".csv"):
            return cls("table", table=_read_table(Path(text)))
        try:
            return cls("pattern", pattern=re.compile(text))
        except re.error as error:
            raise RequestError(
                f"--study-from {text!r} is not file, folder, a CSV file or a regular expression ({error})."
            ) from None

    def study_of(self, path: Path) -> object:
        """Return what names the study of a video.

        Raises:
            RequestError: The pattern or the table does not name it.
        """
        if self.rule == "file":
            return (self.rule, path)
        if self.rule == "folder":
            return (self.rule, zip_of(path) or path.parent)
        name = self._from_pattern(path) if self.pattern else self._from_table(path)
        if name is None:
            raise RequestError(
                f"--study-from: {shown_path(path)} is not named by the {self.rule}; change it, or leave the file out.",
                paths=[path],
            )
        return (self.rule, name)

    def _from_pattern(self, path: Path) -> str | None:
        found = self.pattern.search(path.as_posix()) if self.pattern else None
        if found is None:
            return None
        return found[1] if found.groups() and found[1] is not None else found[0]

    def _from_table(self, path: Path) -> str | None:
        return self.table.get(path.name.lower()) or self.table.get(path.stem.lower())


BY_FILE = VideoStudies("file")
BY_FOLDER = VideoStudies("folder")


def _read_table(path: Path) -> Mapping[str, str]:
    with accessing(path, "read", "name another file"), path.open(encoding="utf-8-sig", newline="") as opened:
        rows = csv.DictReader(opened)
        names = {name.strip().lower(): name for name in rows.fieldnames or ()}
        file = next((names[name] for name in FILE_COLUMNS if name in names), None)
        study = next((names[name] for name in STUDY_COLUMNS if name in names), None)
        if file is None:
            raise RequestError(
                f"{path} has no column {' or '.join(FILE_COLUMNS)}; add one with the names of the files."
            )
        return {Path(row[file]).name.lower(): row[study or file] for row in rows if row[file]}
