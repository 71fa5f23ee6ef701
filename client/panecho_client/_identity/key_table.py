"""The table that leads from pseudonyms back to files, studies and patients. Its owner alone may read it."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from panecho_client._exceptions import FilesError
from panecho_client._files.found_files import shown_path
from panecho_client._files.whole_files import accessing
from panecho_client._identity.headers import SopInstance
from panecho_client._identity.study_identity import StudyIdentity

__all__ = ["KEY_COLUMNS", "append_key_table"]

KEY_COLUMNS = (
    "study",
    "patient",
    "video",
    "path",
    "study_instance_uid",
    "series_instance_uid",
    "sop_instance_uid",
    "patient_id",
)


def append_key_table(path: Path, headers: Sequence[SopInstance], *, pseudonym_key: bytes = b"") -> None:
    """Add a row per file of a study: its pseudonyms, its path and its identifiers. Rows that are there stay single.

    The file is made with mode 0600. Several processes may add to it at a time.

    Args:
        path: A CSV file, UTF-8.
        headers: The study's files; one without a SOP Instance UID has its content hashed (``with_content``).
        pseudonym_key: Key of the pseudonyms.

    Raises:
        FilesError: It cannot be written, holds something else, or others may read it.
    """
    identity = StudyIdentity.of(headers, pseudonym_key=pseudonym_key)
    rows = [
        (identity.study, identity.patient, file.name, shown_path(header.path.absolute()), *_uids(header))
        for header, file in zip(headers, identity.files, strict=True)
    ]
    with accessing(path), os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as opened:
        _lock(opened.fileno())
        _require_private(path, os.fstat(opened.fileno()).st_mode)
        present = opened.read()
        if present and not present.startswith(_lines([KEY_COLUMNS])):
            raise FilesError(f"{path} is not a key table; name another file.", paths=[path])
        lines = set(present.splitlines())
        added = [line for line in _lines(rows).splitlines() if line not in lines]
        opened.write("".join(f"{line}\n" for line in ([] if present else [",".join(KEY_COLUMNS)]) + added))
        opened.flush()
        os.fsync(opened.fileno())


def _lock(file: int) -> None:
    """Keep other processes from adding to the file until it is closed; Windows has no such lock."""
    if os.name != "nt":
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.flock(file, fcntl.LOCK_EX)


def _uids(header: SopInstance) -> tuple[str | None, ...]:
    return header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid, header.patient_id


def _lines(rows: Iterable[Sequence[str | None]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _require_private(path: Path, mode: int) -> None:
    if mode & 0o077:
        raise FilesError(
            f"{path} names patients, and others than its owner may read it; chmod 600 it, or name another file.",
            code="PERMISSION_DENIED",
            paths=[path],
        )
