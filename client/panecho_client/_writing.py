"""Writes the files that ``panecho predict`` is asked for."""

import io
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from panecho_client._exceptions import FilesError
from panecho_client._html import render_html
from panecho_client._identity import StudyIdentity, identify
from panecho_client._results import StudyResult
from panecho_client._sr import build_sr
from panecho_client._tables import LONG_COLUMNS, append_csv, long_rows, wide_columns, wide_row, write_parquet

LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<process>\d{1,9})")  # see ``_hidden``


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

    def write(self, study: StudyResult, *, key_frames: Mapping[Path, bytes] | None = None) -> None:
        """Write every file wanted.

        Args:
            study: The study.
            key_frames: As of ``render_html``.

        Raises:
            FilesError: A file cannot be written, or the secret not read.
            RequestError: The extra ``reports`` is missing, or a CSV to add to has other columns.
        """
        if self.json:
            write_whole(self.json, f"{study.to_json()}\n".encode())
        if any((self.csv, self.wide_csv, self.parquet, self.html, self.sr)):
            self.write_named(study, self._identity(study), key_frames=key_frames)

    def _identity(self, study: StudyResult) -> StudyIdentity:
        if self.secret is None:
            return identify(study, include_identifiers=self.include_identifiers)
        with accessing(self.secret, "read", "name another file"):
            return identify(study, include_identifiers=self.include_identifiers, secret=self.secret.read_bytes())

    def write_named(
        self, study: StudyResult, identity: StudyIdentity, *, key_frames: Mapping[Path, bytes] | None = None
    ) -> None:
        """Write every file wanted but ``json``, with names that are known already.

        Args:
            study: The study.
            identity: What it and its files are called.
            key_frames: As of ``render_html``.

        Raises:
            FilesError, RequestError: As ``write``; or there can be no structured report of the study.
        """
        tasks = [prediction.task for prediction in study.predictions.values()]
        if self.csv:
            with accessing(self.csv):
                append_csv(self.csv, long_rows(study, identity), LONG_COLUMNS)
        if self.wide_csv:
            with accessing(self.wide_csv):
                append_csv(self.wide_csv, [wide_row(study, identity)], wide_columns(tasks))
        if self.parquet:
            with unfinished(self.parquet) as parquet:
                write_parquet(parquet, long_rows(study, identity), LONG_COLUMNS)
        if self.html:
            write_whole(self.html, render_html(study, identity, key_frames=key_frames).encode())
        if self.sr:
            report = io.BytesIO()
            build_sr(study, identity).save_as(report, enforce_file_format=True)
            write_whole(self.sr, report.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it.

    Raises:
        FilesError: It cannot be written.
    """
    with unfinished(path) as file:
        file.write_bytes(content)


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Give a file to write that takes the place of ``path`` at the end of the context, unless something is raised.

    Raises:
        FilesError: It cannot be written.
    """
    file = _hidden(path)
    with accessing(path):
        if path.exists() and not path.is_file():
            yield path  # a device or a pipe, which must not be replaced
            return
        try:
            yield file
            file.replace(path)
        finally:
            file.unlink(missing_ok=True)


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Path]:
    """Give a new folder that takes the place of ``path`` at the end of the context, unless something is raised.

    Raises:
        FilesError: It cannot be written.
    """
    folder = _hidden(path)
    with accessing(path):
        shutil.rmtree(folder, ignore_errors=True)  # of a killed process that had the same number
        folder.mkdir(mode=0o700)
        try:
            yield folder
            _flush(folder)
            _replace_folder(folder, path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(folder: Path, names: re.Pattern[str]) -> None:
    """Remove what killed processes were writing in ``folder`` in place of what has such names.

    Raises:
        FilesError: It cannot be removed.
    """
    for path in folder.iterdir():
        leftover = LEFTOVER.fullmatch(path.name)
        if leftover and names.fullmatch(leftover["name"]) and not _is_running(int(leftover["process"])):
            with accessing(path, "removed", "remove it by hand"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def accessing(path: Path, done: str = "written", advice: str = "make room, or name another place") -> Iterator[None]:
    """Turn an OSError into a FilesError about ``path``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise FilesError(f"{path} cannot be {done}: {reason}; {advice}.", paths=[path]) from None


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def _flush(folder: Path) -> None:
    """Have the files' content on the disk before their folder gets its name: the power may fail."""
    for path in folder.iterdir():
        with path.open("rb+") as opened:
            os.fsync(opened.fileno())


def _replace_folder(folder: Path, path: Path) -> None:
    replaced = _hidden(path.with_name(f"{path.name}.replaced"))
    if path.is_dir():
        path.rename(replaced)
    try:
        folder.rename(path)
    except OSError:
        if replaced.is_dir():
            replaced.rename(path)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def _is_running(process: int) -> bool:
    if process == os.getpid():  # the killed one had the same number
        return False
    if os.name == "nt":  # where signal 0 does not ask but is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
