"""Writes the files that ``panecho predict`` is asked for."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from panecho_client._exceptions import FilesError
from panecho_client._html import render_html
from panecho_client._identity import StudyIdentity, identify
from panecho_client._results import StudyResult
from panecho_client._sr import build_sr
from panecho_client._tables import LONG_COLUMNS, append_csv, long_rows, wide_columns, wide_row, write_parquet


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Files to write; None for those not wanted.

    Attributes:
        json: All of one study. Holds the files' paths.
        csv: A row per video, task and class is added.
        wide_csv: A row per study is added.
        parquet: As ``csv``, of one study.
        html: A report to read.
        sr: A DICOM structured report.
        include_identifiers: Whether all but ``json`` hold the study's identifiers instead of pseudonyms.
        secret: File whose bytes make pseudonyms that nobody without them can compute.
    """

    json: Path | None = None
    csv: Path | None = None
    wide_csv: Path | None = None
    parquet: Path | None = None
    html: Path | None = None
    sr: Path | None = None
    include_identifiers: bool = False
    secret: Path | None = None

    def write(self, study: StudyResult) -> None:
        """Write every file wanted.

        Raises:
            FilesError: A file cannot be written, or the secret not read.
            RequestError: The extra ``reports`` is missing, or a CSV to add to has other columns.
        """
        if self.json:
            write_whole(self.json, f"{study.to_json()}\n".encode())
        if any((self.csv, self.wide_csv, self.parquet, self.html, self.sr)):
            self._write_identified(study, self._identity(study))

    def _identity(self, study: StudyResult) -> StudyIdentity:
        if self.secret is None:
            return identify(study, include_identifiers=self.include_identifiers)
        with _writable(self.secret, "read"):
            return identify(study, include_identifiers=self.include_identifiers, secret=self.secret.read_bytes())

    def _write_identified(self, study: StudyResult, identity: StudyIdentity) -> None:
        tasks = [prediction.task for prediction in study.predictions.values()]
        if self.csv:
            with _writable(self.csv):
                append_csv(self.csv, long_rows(study, identity), LONG_COLUMNS)
        if self.wide_csv:
            with _writable(self.wide_csv):
                append_csv(self.wide_csv, [wide_row(study, identity)], wide_columns(tasks))
        if self.parquet:
            with _writable(self.parquet):
                write_parquet(self.parquet, long_rows(study, identity), LONG_COLUMNS)
        if self.html:
            write_whole(self.html, render_html(study, identity).encode())
        if self.sr:
            report = io.BytesIO()
            build_sr(study, identity).save_as(report, enforce_file_format=True)
            write_whole(self.sr, report.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it.

    Raises:
        FilesError: It cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with _writable(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)  # a device or a pipe, which must not be replaced
            return
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


@contextmanager
def _writable(path: Path, done: str = "written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FilesError(f"{path} cannot be {done}: {error.strerror}.", paths=[path]) from None
