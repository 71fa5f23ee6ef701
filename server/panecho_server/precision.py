"""Whether this machine computes in the precision of an export. If not, the numbers are right, but slow to come."""

import json
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
GPU = Path("/dev/nvidia0")

CPU_FLAGS = {"bf16": {"avx512_bf16", "amx_bf16"}, "fp16": {"avx512_fp16", "amx_fp16"}}
"""By precision, the flags of /proc/cpuinfo of which one is enough; fp32 needs none."""

MANIFEST = re.compile(r'key: "manifest" value \{ string_value: ("(?:[^"\\]|\\.)*") \}')


def exported_precision(repository: Path) -> str:
    """Return the precision of an exported repository, such as ``bf16``; empty if it does not say."""
    for model in ("panecho", "image_encoder"):
        try:
            manifest = MANIFEST.search((repository / model / "config.pbtxt").read_text(encoding="utf-8"))
            if manifest:
                return str(json.loads(json.loads(manifest[1]))["precision"])
        except (OSError, ValueError, KeyError):
            continue
    return ""


def slow_precision(repository: Path) -> str:
    """Return the precision of an export that this machine computes without its hardware's help; empty if none."""
    precision = exported_precision(repository)
    needed = CPU_FLAGS.get(precision, set())
    return precision if needed and not GPU.exists() and not needed & _processor_flags() else ""


def precision_warning(repository: Path) -> str:
    """Return what is wrong with the precision of an export on this machine, and what to do; empty if nothing is."""
    precision = slow_precision(repository)
    if not precision:
        return ""
    return (
        f"{repository} was exported as {precision}, which this processor does not compute in hardware: start and "
        f"predictions take about 15 times as long. {export_again(repository)}"
    )


def export_again(repository: Path) -> str:
    """Return the advice for an export in a precision that does not suit this machine."""
    return f"Export it again: panecho export --precision fp32 --checkpoint PATH --model-repository {repository}"


def _processor_flags() -> set[str]:
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
