"""The machine that a load test or a benchmark ran on."""

import os
import platform
from pathlib import Path


def processor_fields() -> dict[str, str]:
    """Return what Linux says of the first processor, such as ``model name`` and ``flags``."""
    first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    fields = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in fields}


def processor() -> str:
    """Return the processor's name."""
    return processor_fields().get("model name", platform.machine())


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))
