"""ZIP archives, treated as folders: ``study.zip/IM0001`` is the path of a member. Nothing is unpacked to disk."""

import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

METADATA_FOLDER = "__MACOSX"
_CHUNK = 1 << 20
_KEPT_OPEN = 4


def is_archive(path: Path) -> bool:
    """Tell whether ``path`` is a ZIP archive that stands for a folder; documents that are ZIP inside do not."""
    return path.suffix.lower() == ".zip" and path.is_file() and zipfile.is_zipfile(path)


def archive_of(path: Path) -> Path | None:
    """Return the archive that ``path`` is a member of, if it is one."""
    return next((parent for parent in path.parents if is_archive(parent)), None)


def members(archive: Path) -> Iterator[tuple[Path, str | None]]:
    """Return the archive's files, sorted, and for each why it is left out, if it is.

    Raises:
        OSError, zipfile.BadZipFile: The archive cannot be read.
    """
    with zipfile.ZipFile(archive) as opened:
        for info in sorted(opened.infolist(), key=lambda info: info.filename):
            if not info.is_dir():
                yield archive / _relative(info.filename), _why_left_out(info)


def member_size(archive: Path, path: Path) -> int:
    """Return the size of a member in bytes, as the archive declares it; errors as ``read_member``."""
    return _opened(archive).find(path).file_size


def read_member(archive: Path, path: Path, target: memoryview) -> bool:
    """Fill ``target`` with a member; tell whether it was of just that size.

    Raises:
        OSError: The archive cannot be read, or has no such member.
        zipfile.BadZipFile, NotImplementedError, RuntimeError: The member is damaged, compressed in an unknown way or
            encrypted.
    """
    opened = _opened(archive)
    with opened.archive.open(opened.find(path)) as member:
        filled = 0
        while filled < len(target):
            chunk = member.read(min(_CHUNK, len(target) - filled))
            if not chunk:
                return False
            target[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
        return not member.read(1)


class _Opened:
    """An archive and its members by path: to read its list again for each member would take minutes for thousands."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)  # closed when it is forgotten and nobody reads; reads share it
        self._members = {
            path / _relative(info.filename): info for info in reversed(self.archive.infolist()) if not info.is_dir()
        }

    def find(self, path: Path) -> zipfile.ZipInfo:
        if path not in self._members:
            raise FileNotFoundError(2, "no such member of the archive", str(path))
        return self._members[path]


def _opened(archive: Path) -> _Opened:
    state = archive.stat()
    return _open(archive, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(_KEPT_OPEN)
def _open(archive: Path, *_state: int) -> _Opened:
    """Return an archive as it was at a time."""
    return _Opened(archive)


def _relative(name: str) -> PurePosixPath:
    """Return a member's name as a path that cannot leave the archive."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return PurePosixPath(*(part for part in parts if part not in ("/", "..")))


def _why_left_out(info: zipfile.ZipInfo) -> str | None:
    parts = _relative(info.filename).parts
    if parts[:1] == (METADATA_FOLDER,) or any(part.startswith(".") for part in parts):
        return "hidden"
    return "encrypted in its archive" if info.flag_bits & 1 else None
