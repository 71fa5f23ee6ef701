"""Reads files, and members of ZIP files as if they were files."""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from panecho_client._contract import MAX_STUDY_BYTES
from panecho_client._exceptions import FilesError
from panecho_client._files.zip_files import member_size, open_member, zip_of

# What zipfile raises for a member that is broken, compressed in an unknown way or encrypted.
DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)

DAMAGED_ZIP = "DATA_LOSS"

UNREADABLE_FILE = "UNREADABLE_FILE"
"""Status code of a file that the client cannot read."""

_CHUNK = 1 << 20


Faults: TypeAlias = dict[int, FilesError]
"""Files that cannot be read, by their index."""


def file_sizes(files: Iterable[Path], faults: Faults | None = None) -> list[int]:
    """Return the size of each file in bytes.

    Args:
        files: The files.
        faults: Takes the errors of files that cannot be read, whose size is 0 then; without, they are raised.

    Raises:
        FilesError: A file cannot be read, and there are no ``faults``.
    """
    sizes = []
    for index, file in enumerate(files):
        size = 0
        with _noted(faults, index):
            size = _size(file)
        sizes.append(size)
    return sizes


def read_files(files: Iterable[Path], faults: Faults | None = None) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read files into one buffer.

    Args:
        files: The files.
        faults: As of ``file_sizes``.

    Returns:
        The files' bytes one after another, uint8 [total], and each file's size in bytes, int64 [N].

    Raises:
        FilesError: They are too large for one request, which is checked before reading; or as of ``file_sizes``.
    """
    files = tuple(files)
    sizes = np.array(file_sizes(files, faults), dtype=np.int64)
    total = int(sizes.sum())
    if total > MAX_STUDY_BYTES:
        raise FilesError(
            f"these {len(files)} files hold {total / 1e9:.2f} GB, and one request holds at most "
            f"{MAX_STUDY_BYTES / 1e9:.2f} GB; leave some out, or send compressed files.",
            paths=files,
        )
    buffer = np.empty(total, dtype=np.uint8)
    end = 0
    for index, file in enumerate(files):
        if faults is not None and index in faults:
            continue
        with _noted(faults, index):
            _read_into(file, buffer.data[end : end + sizes[index]])
        sizes[index] = 0 if faults and index in faults else sizes[index]
        end += sizes[index]
    return buffer[:end], sizes


def unreadable_status(error: FilesError) -> str:
    """Return the status of a file that cannot be read; it names neither the file nor a member of a ZIP file."""
    if error.code == DAMAGED_ZIP:
        return f"{UNREADABLE_FILE}: damaged in its ZIP file, or packed in a way that is not read"
    names = "|".join(re.escape(str(path)) for path in error.paths)
    return f"{UNREADABLE_FILE}: {re.sub(f'^({names}) ', '', error.message).rstrip('.')}"


@contextmanager
def _noted(faults: Faults | None, index: int) -> Iterator[None]:
    try:
        yield
    except FilesError as error:
        if faults is None:
            raise
        faults[index] = error


def read_start(file: Path, size: int) -> bytes:
    """Return the first ``size`` bytes of a file; all of a smaller one.

    Raises:
        FilesError: The file cannot be read.
    """
    with reading(file), _open(file) as opened:
        return opened.read(size)


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a whole file in hexadecimal digits.

    Raises:
        FilesError: The file cannot be read.
    """
    with reading(file), _open(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()  # type: ignore[arg-type]  # every binary file will do


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what is raised while ``path`` is read into a FilesError."""
    try:
        yield
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__, "PERMISSION_DENIED") from None
    except DAMAGED as error:
        raise _unreadable(path, error, DAMAGED_ZIP) from None


def _unreadable(path: Path, reason: object, code: str) -> FilesError:
    return FilesError(f"{path} cannot be read: {reason}.", code=code, paths=[path])


def _open(file: Path) -> IO[bytes]:
    zip_file = zip_of(file)
    return open_member(zip_file, file) if zip_file else file.open("rb")


def _size(file: Path) -> int:
    with reading(file):
        zip_file = zip_of(file)
        return member_size(zip_file, file) if zip_file else file.stat().st_size


def _read_into(file: Path, target: memoryview) -> None:
    with reading(file), _open(file) as opened:
        complete = _fill(target, opened)
    if not complete:
        raise FilesError(f"{file} changed while it was read; send it once it is complete.", paths=[file])


def _fill(target: memoryview, opened: IO[bytes]) -> bool:
    """Fill ``target`` with an opened file; tell whether the file has exactly that size."""
    filled = 0
    while filled < len(target):
        read = opened.readinto(target[filled : filled + _CHUNK])  # type: ignore[attr-defined]  # every binary file has it
        if not read:
            return False
        filled += read
    return not opened.read(1)
