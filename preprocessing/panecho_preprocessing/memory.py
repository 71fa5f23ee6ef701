"""How much memory this process may still take: of the machine's, and of its container's."""

from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")

VERSION_2 = ("memory.max", "memory.current", "")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
"""Limit, use, and how counters of a group and those in it begin; names by version of cgroups(7)."""

CACHED = ("inactive_file", "active_file")
"""What of the use is files that Linux drops when memory is wanted, as it does in MemAvailable."""


def available_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Return bytes that may still be taken without swapping or being killed; None where the system does not tell.

    Shared memory (/dev/shm) counts as taken.
    """
    try:
        lines = (proc / "meminfo").read_text().splitlines()
        machine = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
        groups = (proc / "self/cgroup").read_text().splitlines()
    except (OSError, ValueError, StopIteration):
        return None
    return min([machine, *(room for line in groups for room in _rooms(line, cgroups))])


def _rooms(line: str, cgroups: Path) -> Iterator[int]:
    """Yield what a group, and those that it is in, leave; a line of /proc/self/cgroup names it."""
    _, controllers, path = line.split(":", 2)
    if controllers and "memory" not in controllers.split(","):
        return
    root = cgroups / "memory" if controllers else cgroups
    names = VERSION_1 if controllers else VERSION_2
    group = root / path.lstrip("/")
    for folder in (group, *group.parents):
        if folder.is_relative_to(root):  # a container may see its own group as the root
            room = _room(folder, *names)
            if room is not None:
                yield room


def _room(folder: Path, limit_name: str, use_name: str, prefix: str) -> int | None:
    try:
        limit = (folder / limit_name).read_text().strip()
        use = int((folder / use_name).read_text())
        counters = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group here, or no limits in it
        return None
    if limit == "max":
        return None
    return max(0, int(limit) - use + sum(int(counters.get(prefix + name, 0)) for name in CACHED))
