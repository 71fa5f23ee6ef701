"""Limits the memory of processes, as a container does: cgroups(7) of both versions."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

CGROUPS = Path("/sys/fs/cgroup")


class Names(NamedTuple):
    """Of the files of a version."""

    limit: str
    use: str
    prefix: str


VERSION_1 = Names("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
VERSION_2 = Names("memory.max", "memory.current", "")


class MemoryGroup:
    """A group without a limit, until one is set."""

    def __init__(self, folder: Path, names: Names) -> None:
        self._folder = folder
        self._names = names

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to write before a command that is to run in the group."""
        return ("sh", "-c", f'echo $$ > {self._folder}/cgroup.procs && exec "$@"', "sh")

    def leave(self, room: int) -> None:
        """Limit the group to what it uses now, and so many bytes more."""
        counters = dict(line.split() for line in (self._folder / "memory.stat").read_text().splitlines())
        cached = sum(int(counters[f"{self._names.prefix}{kind}_file"]) for kind in ("active", "inactive"))
        use = int((self._folder / self._names.use).read_text()) - cached
        (self._folder / self._names.limit).write_text(str(use + room))


@contextmanager
def memory_group() -> Iterator[MemoryGroup]:
    """Make a group; it must be empty at the end.

    Raises:
        OSError: This process may not make one.
    """
    root, names = _own()
    folder = root / f"panecho-{uuid4().hex}"
    folder.mkdir()
    try:
        if not (folder / names.limit).exists():
            raise OSError("groups here have no limit of memory")
        yield MemoryGroup(folder, names)
    finally:
        while (folder / "cgroup.procs").read_text():  # killed ones take a moment
            time.sleep(0.05)
        folder.rmdir()


def _own() -> tuple[Path, Names]:
    """Return the group that this process is in, of the version that limits memory here."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    groups = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
    path = groups.get("memory", groups.get("", "/")).lstrip("/")
    root = CGROUPS / "memory" if "memory" in groups else CGROUPS
    return (root / path if (root / path).is_dir() else root), VERSION_1 if "memory" in groups else VERSION_2
