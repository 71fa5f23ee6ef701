"""The number of cores that this process may use."""

import os
from pathlib import Path

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cores(quota_file: Path = _CGROUP_QUOTA) -> int:
    """Return the cores of this process's affinity, or fewer where its container has a quota (cgroup v2); at least 1."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError, ZeroDivisionError):  # no cgroup v2, or "max": no quota
        return cores


def threads_per_instance(instances: int) -> int:
    """Return the number of threads for each of `instances` processes that share this machine's cores."""
    return max(1, -(-available_cores() // max(1, instances)))
