"""What a server leaves behind that was killed with SIGKILL, together with ``tritonserver``: a folder and shared memory.

A server holds a lock on a file in its folder as long as it, or one of its processes, lives; the file names its shared
memory. Who gets the lock knows that the server is dead.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from panecho_server.shared_memory import SharedMemory

FOLDER_PREFIX = "panecho-server-"
LOCK = "lock"
REGIONS = re.compile(r"triton_panecho_[0-9a-f]{12}_")


def hold(folder: Path, memory: SharedMemory) -> IO[str]:
    """Mark a folder, and a server's shared memory, as used for as long as the returned file is open anywhere."""
    new = (folder / f"{LOCK}.new").open("w", encoding="ascii")
    fcntl.flock(new, fcntl.LOCK_EX)
    new.write(memory.prefix)
    new.flush()
    (folder / f"{LOCK}.new").rename(folder / LOCK)  # nobody finds it unlocked or empty
    return new


def remove_leftovers() -> None:
    """Remove folders and shared memory of this user's servers that live no longer."""
    for folder in _folders():
        with suppress(OSError):  # used, another user's, or removed by another server that starts now
            _remove_if_dead(folder)


def _folders() -> Iterator[Path]:
    for place in {Path(tempfile.gettempdir()), Path("/tmp")}:  # noqa: S108 - where folders of servers are
        yield from place.glob(f"{FOLDER_PREFIX}*")


def _remove_if_dead(folder: Path) -> None:
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        return
    with (folder / LOCK).open(encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        prefix = lock.read()
        if REGIONS.fullmatch(prefix):
            SharedMemory(prefix=prefix).remove()
        shutil.rmtree(folder, ignore_errors=True)
