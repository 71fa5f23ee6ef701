"""The memory that this process may use: the machine's, and its container's."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")

VERSION_2 = ("memory.max", "memory.current", "")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
"""File names of limit and use, and the prefix of counters that include child groups, by version of cgroups(7)."""

CACHED = ("inactive_file", "active_file")
"""The part of the use that is cached files, which Linux drops when memory is needed, as in MemAvailable."""


class Memory(NamedTuple):
    """Bytes.

    Attributes:
        total: memory of this process and of all others in its container.
        available: memory that can still be used without swapping or being killed. Shared memory (/dev/shm) counts as
            used.
    """

    total: int
    available: int


def read_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> Memory | None:
    """Return the memory of this process; None where the system does not report it."""
    try:
        lines = (line.split(":") for line in (proc / "meminfo").read_text().splitlines())
        sizes = {name: int(size.split()[0]) << 10 for name, size in lines}
        machine = Memory(sizes["MemTotal"], sizes["MemAvailable"])
        groups = (proc / "self/cgroup").read_text().splitlines()
    except (OSError, ValueError, KeyError):
        return None
    all_ = [machine, *(memory for line in groups for memory in _of_groups(line, cgroups))]
    return Memory(min(memory.total for memory in all_), min(memory.available for memory in all_))


def _of_groups(line: str, cgroups: Path) -> Iterator[Memory]:
    """Yield the memory of the group that a line of /proc/self/cgroup names, and of its parents."""
    _, controllers, path = line.split(":", 2)
    if controllers and "memory" not in controllers.split(","):
        return
    root = cgroups / "memory" if controllers else cgroups
    names = VERSION_1 if controllers else VERSION_2
    group = root / path.lstrip("/")
    for folder in (group, *group.parents):
        if folder.is_relative_to(root):  # a container may see its own group as the root
            memory = _of_group(folder, *names)
            if memory is not None:
                yield memory


def _of_group(folder: Path, limit_name: str, use_name: str, prefix: str) -> Memory | None:
    try:
        text = (folder / limit_name).read_text().strip()
        limit = None if text == "max" else int(text)
        use = int((folder / use_name).read_text())
        counters = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group here, or no limits in it
        return None
    if limit is None:
        return None
    cached = sum(int(counters.get(prefix + name, 0)) for name in CACHED)
    return Memory(limit, max(0, limit - use + cached))
