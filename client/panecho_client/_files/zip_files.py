"""ZIP files, treated as folders: ``study.zip/IM0001`` is the path of a member. Nothing is unpacked to disk."""

import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

METADATA_FOLDER = "__MACOSX"
_KEPT_OPEN = 4


def is_zip(path: Path) -> bool:
    """Tell whether ``path`` is a ZIP file that stands for a folder; documents that are ZIP inside do not."""
    return path.suffix.lower() == ".zip" and path.is_file() and zipfile.is_zipfile(path)


def zip_of(path: Path) -> Path | None:
    """Return the ZIP file that ``path`` is a member of, if it is one."""
    return next((parent for parent in path.parents if is_zip(parent)), None)


def members(zip_file: Path) -> Iterator[tuple[Path, str | None]]:
    """Yield the ZIP file's members, sorted, each with the reason why it is left out, or None.

    Raises:
        OSError, zipfile.BadZipFile: The ZIP file cannot be read.
    """
    with zipfile.ZipFile(zip_file) as opened:
        for info in sorted(opened.infolist(), key=lambda info: info.filename):
            if not info.is_dir():
                yield zip_file / _relative(info.filename), _why_left_out(info)


def member_size(zip_file: Path, path: Path) -> int:
    """Return the size of a member in bytes, as the ZIP file declares it; errors as ``open_member``."""
    return _opened(zip_file).find(path).file_size


def open_member(zip_file: Path, path: Path) -> IO[bytes]:
    """Open a member for reading.

    Raises:
        OSError: The ZIP file cannot be read, or has no such member.
        zipfile.BadZipFile, NotImplementedError, RuntimeError: Here and from each read: the member is damaged,
            compressed in an unknown way or encrypted.
    """
    opened = _opened(zip_file)
    return opened.zip.open(opened.find(path))


class _Opened:
    """A ZIP file and its members by path: reading the list again for each member would take minutes for thousands."""

    def __init__(self, path: Path) -> None:
        self.zip = zipfile.ZipFile(path)  # closed when the cache drops it and no read is in progress; reads share it
        self._members = {
            path / _relative(info.filename): info for info in reversed(self.zip.infolist()) if not info.is_dir()
        }

    def find(self, path: Path) -> zipfile.ZipInfo:
        if path not in self._members:
            raise FileNotFoundError(2, "no such member of the ZIP file", str(path))
        return self._members[path]


def _opened(zip_file: Path) -> _Opened:
    state = zip_file.stat()
    return _open(zip_file, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(_KEPT_OPEN)
def _open(zip_file: Path, *_state: int) -> _Opened:
    """Return a ZIP file in the state that the arguments identify."""
    return _Opened(zip_file)


def _relative(name: str) -> PurePosixPath:
    """Return a member's name as a path that cannot leave the ZIP file."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return PurePosixPath(*(part for part in parts if part not in ("/", "..")))


def _why_left_out(info: zipfile.ZipInfo) -> str | None:
    parts = _relative(info.filename).parts
    if parts[:1] == (METADATA_FOLDER,) or any(part.startswith(".") for part in parts):
        return "hidden"
    return "encrypted in its ZIP file" if info.flag_bits & 1 else None
