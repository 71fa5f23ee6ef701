"""Checks of this machine that need no server: Python, packages and GPU."""

import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from panecho_admin.checks import Check

PACKAGES = ("numpy", "tritonclient", "pydicom", "opencv-python-headless", "imagecodecs", "torch", "nvidia-pytriton")


def machine_checks() -> Iterator[Check]:
    """Check Python and the packages, and the GPU where the models can run: with torch."""
    yield Check(name="Python", status="ok", found=f"{platform.python_version()} on {platform.platform()}")
    yield Check(name="packages", status="ok", found=", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    if find_spec("torch") is not None:
        yield from _gpus()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _gpus() -> Iterator[Check]:
    command = shutil.which("nvidia-smi")
    if command is None:
        yield Check(name="GPU", status="ok", found="none: the models run on the CPU")
        return
    query = [command, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20)  # noqa: S603 - as found
    except (OSError, subprocess.SubprocessError) as error:
        advice = "Run nvidia-smi; the driver may need a restart of the machine. Without a GPU the CPU is used."
        yield Check(name="GPU", status="warning", found=f"nvidia-smi fails: {type(error).__name__}", advice=advice)
        return
    for line in answer.stdout.splitlines():
        name, driver, memory = (part.strip() for part in line.split(",", 2))
        yield Check(name="GPU", status="ok", found=f"{name}, driver {driver}, {memory}")
    yield _cuda()


def _cuda() -> Check:
    import torch  # noqa: PLC0415 - takes seconds, and is only there with the extra

    if not torch.cuda.is_available():
        advice = f"Update the NVIDIA driver to one for CUDA {torch.version.cuda}; until then the CPU is used."
        return Check(name="CUDA", status="warning", found=f"torch {torch.__version__} cannot use it", advice=advice)
    return Check(name="CUDA", status="ok", found=f"torch {torch.__version__} uses it with CUDA {torch.version.cuda}")
