"""Reads files, and members of ZIP files as if they were files."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from panecho_client._contract import MAX_STUDY_BYTES
from panecho_client._exceptions import FilesError
from panecho_client._zip_files import member_size, open_member, zip_of

# What zipfile raises for a member that is broken, compressed in an unknown way or encrypted.
DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)

_CHUNK = 1 << 20


def file_sizes(files: Iterable[Path]) -> list[int]:
    """Return the size of each file in bytes.

    Raises:
        FilesError: A file cannot be read.
    """
    return [_size(file) for file in files]


def read_files(files: Iterable[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read files into one buffer.

    Returns:
        The files' bytes one after another, uint8 [total], and each file's size in bytes, int64 [N].

    Raises:
        FilesError: A file cannot be read, or they are too large for one request. Sizes are checked before reading.
    """
    files = tuple(files)
    sizes = np.array(file_sizes(files), dtype=np.int64)
    total = int(sizes.sum())
    if total > MAX_STUDY_BYTES:
        raise FilesError(
            f"these {len(files)} files hold {total / 1e9:.2f} GB, and one request holds at most "
            f"{MAX_STUDY_BYTES / 1e9:.2f} GB; leave some out, or send compressed files.",
            paths=files,
        )
    buffer = np.empty(total, dtype=np.uint8)
    stops = np.cumsum(sizes)
    for file, start, stop in zip(files, stops - sizes, stops, strict=True):
        _read_into(file, buffer.data[start:stop])
    return buffer, sizes


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
        raise _unreadable(path, error.strerror or error, "PERMISSION_DENIED") from None
    except DAMAGED as error:
        raise _unreadable(path, error, "DATA_LOSS") from None


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
