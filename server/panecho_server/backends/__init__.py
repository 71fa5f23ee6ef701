"""Lays out a backend directory for ``tritonserver``: Triton's Python backend and our ``pytorch`` one."""

import shutil
from pathlib import Path

from panecho_server.wheel import Wheel

PYTORCH_BACKEND = Path(__file__).parent / "pytorch/model.py"


LIBRARIES = "libraries"


def lay_out_backends(directory: Path, wheel: Wheel, libpython: Path) -> None:
    """Fill ``directory`` with copies of the backends that a PanEcho repository names.

    Copies, because Triton refuses a backend library that is a link out of the backend directory.

    ``pytorch`` is a Python-based backend: a folder that holds a ``model.py`` which every model of that backend runs.
    So the same ``backend: "pytorch"`` is served here and by the native backend of NVIDIA's container.

    ``libraries`` goes before the wheel's own in the search for shared libraries.
    """
    python = directory / "python"
    pytorch = directory / "pytorch"
    python.mkdir(parents=True)
    pytorch.mkdir()
    for file in ("libtriton_python.so", "triton_python_backend_utils.py"):
        shutil.copy(wheel.python_backend / file, python)
    shutil.copy(wheel.stub, python)
    shutil.copy(PYTORCH_BACKEND, pytorch / "model.py")
    libraries = directory / LIBRARIES
    libraries.mkdir()
    if wheel.own_libpython:  # the standard library's modules need the very libpython that they came with
        (libraries / wheel.own_libpython.name).symlink_to(libpython)
