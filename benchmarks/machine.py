"""The machine that figures were measured on."""

import os
import platform
from pathlib import Path

import torch

FEATURES = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_tile")


def describe_machine() -> dict[str, object]:
    """Return processor, cores, memory, GPU and versions."""
    fields = dict(
        line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines() if ":" in line
    )
    about = {name.strip(): value.strip() for name, value in fields.items()}
    flags = set(about.get("flags", "").split())
    return {
        "processor": about.get("model name", platform.machine()),
        "features": [feature for feature in FEATURES if feature in flags],
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
