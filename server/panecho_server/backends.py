"""Lays out a backend directory for ``tritonserver``: Triton's Python backend and our ``pytorch`` one."""

import shutil
from pathlib import Path

from panecho_server.wheel import Wheel

PYTORCH_BACKEND = Path(__file__).with_name("pytorch_backend.py")


def lay_out_backends(directory: Path, wheel: Wheel) -> None:
    """Fill ``directory`` with copies of the backends that a PanEcho repository names.

    Copies, because Triton refuses a backend library that is a link out of the backend directory.

    ``pytorch`` is a Python-based backend: a folder that holds a ``model.py`` which every model of that backend runs.
    So the same ``backend: "pytorch"`` is served here and by the native backend of NVIDIA's container.
    """
    python = directory / "python"
    pytorch = directory / "pytorch"
    python.mkdir(parents=True)
    pytorch.mkdir()
    for file in ("libtriton_python.so", "triton_python_backend_utils.py"):
        shutil.copy(wheel.python_backend / file, python)
    shutil.copy(wheel.stub, python)
    shutil.copy(PYTORCH_BACKEND, pytorch / "model.py")
