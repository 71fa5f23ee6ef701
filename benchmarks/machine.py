"""The machine that figures were measured on."""

import os
import platform

import torch
from load_tests.report.machine import cores, processor, processor_fields

FEATURES = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_tile")


def describe_machine() -> dict[str, object]:
    """Return processor, cores, memory, GPU and versions."""
    flags = set(processor_fields().get("flags", "").split())
    return {
        "processor": processor(),
        "features": [feature for feature in FEATURES if feature in flags],
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
