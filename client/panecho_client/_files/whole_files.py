"""Writes files and folders so that nobody ever sees half of one."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panecho_client._exceptions import FilesError

STORAGE_FAULTS = (errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EROFS)
"""What the whole disk is at fault for: the next file will not fare better."""

STORAGE = "RESOURCE_EXHAUSTED"

LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<process>\d{1,9})")  # see ``_hidden``


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
    """Turn an OSError into a FilesError about ``path``, of the code RESOURCE_EXHAUSTED if the disk is at fault."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        code = STORAGE if error.errno in STORAGE_FAULTS else None
        raise FilesError(f"{path} cannot be {done}: {reason}; {advice}.", code=code, paths=[path]) from None


def _hidden(path: Path) -> Path:
    if not path.name:
        raise FilesError(f"{path} is a folder; name a file or folder in it.", paths=[path])
    return path.with_name(f".{path.name}.{os.getpid()}")


def _flush(folder: Path) -> None:
    """Have the files' content on the disk before their folder gets its name: the power may fail."""
    for path in folder.rglob("*"):
        if path.is_file():
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
