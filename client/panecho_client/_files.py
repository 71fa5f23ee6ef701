"""From paths to the two input tensors: which files belong to a study, and their bytes one after another."""

import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from panecho_client._contract import MAX_STUDY_BYTES
from panecho_client._exceptions import FilesError
from panecho_client._zip_files import archive_of, is_archive, member_size, members, read_member

StrPath: TypeAlias = str | os.PathLike[str]

# What zipfile raises for a member that is broken, compressed in an unknown way or encrypted.
DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A path below a given folder that is not sent, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class FoundFiles:
    """Files of a study in the order in which they are sent, and what was left out."""

    files: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]


def find_files(paths: StrPath | Iterable[StrPath]) -> FoundFiles:
    """Return the files that the paths name: files as they are, folders and ZIP archives with everything below, sorted.

    A member of an archive has the path ``study.zip/IM0001``. Hidden files below a folder (a name on the way begins with
    a dot) and what is not a regular file are left out, as is a file that was named before.

    Example:
        >>> found = find_files("study/")
        >>> found.files, found.left_out
        ((PosixPath('study/a.dcm'),), (LeftOut(path=PosixPath('study/.DS_Store'), reason='hidden'),))

    Raises:
        FilesError: A path does not exist or cannot be read, or no file is left.
    """
    given = [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not given:
        raise FilesError("no file was given; name the files of one study, or a folder that holds them.")
    files: dict[Path, Path] = {}
    left_out: list[LeftOut] = []
    for root in given:
        for path, reason in _listed(root):
            repeated = reason is None and files.setdefault(path.resolve(), path) is not path
            if reason or repeated:
                left_out.append(LeftOut(path=path, reason=reason or "named twice"))
    if not files:
        names = ", ".join(map(str, given))
        hidden = f" ({len(left_out)} left out: hidden or not regular files)" if left_out else ""
        raise FilesError(f"{names}: no file found{hidden}; name the files of one study.", paths=given)
    return FoundFiles(files=tuple(files.values()), left_out=tuple(left_out))


def shown_path(path: Path) -> str:
    """Return a path as text that can be written even if its name is not valid UTF-8."""
    return os.fsencode(path).decode(errors="replace")


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


def _listed(root: Path) -> list[tuple[Path, str | None]]:
    """Return what a given path stands for, and for each why it is left out, if it is."""
    try:
        return [listed for path in _below(root) for listed in _expanded(path, root)]
    except OSError as error:
        raise _unreadable(Path(error.filename or root), error) from None


def _expanded(path: Path, root: Path) -> Iterable[tuple[Path, str | None]]:
    """Return a file and why it is left out, if it is; for an archive that is not, its members instead."""
    reason = _why_left_out(path, root)
    if reason is not None or not is_archive(path):
        return [(path, reason)]
    try:
        return list(members(path))
    except zipfile.BadZipFile as error:
        raise _unreadable(path, error) from None


def _below(root: Path) -> Iterator[Path]:
    if archive_of(root):
        yield root
        return
    if not root.exists():
        raise FilesError(f"{root} does not exist; check the path.", code="NOT_FOUND", paths=[root])
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise FilesError(f"{root} is neither a file nor a folder; name a file.", paths=[root])
    for folder, folders, names in os.walk(root, onerror=_raise):
        folders.sort()
        links = [name for name in folders if Path(folder, name).is_symlink()]
        yield from (Path(folder, name) for name in sorted(names + links))


def _raise(error: OSError) -> NoReturn:
    raise error


def _unreadable(path: Path, error: Exception) -> FilesError:
    code = "PERMISSION_DENIED" if isinstance(error, OSError) else "DATA_LOSS"
    reason = error.strerror if isinstance(error, OSError) else error
    return FilesError(f"{path} cannot be read: {reason}.", code=code, paths=[path])


def _why_left_out(path: Path, root: Path) -> str | None:
    if path == root or archive_of(root):
        return None
    if any(part.startswith(".") for part in path.relative_to(root).parts):
        return "hidden"
    if path.is_dir():
        return "link to a folder"
    return None if path.is_file() else "not a regular file"


def _size(file: Path) -> int:
    archive = archive_of(file)
    try:
        return member_size(archive, file) if archive else file.stat().st_size
    except (OSError, *DAMAGED) as error:
        raise _unreadable(file, error) from None


def _read_into(file: Path, target: memoryview) -> None:
    archive = archive_of(file)
    try:
        complete = read_member(archive, file, target) if archive else _read_file(file, target)
    except (OSError, *DAMAGED) as error:
        raise _unreadable(file, error) from None
    if not complete:
        raise FilesError(f"{file} changed while it was read; send it once it is complete.", paths=[file])


def _read_file(file: Path, target: memoryview) -> bool:
    """Fill ``target`` with a file; tell whether it was of just that size."""
    with file.open("rb") as opened:
        return opened.readinto(target) == len(target) and not opened.read(1)
