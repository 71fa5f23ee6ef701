"""Lays out what ``tritonserver`` runs models with: Triton's Python backend, our ``pytorch`` one, and a Python."""

import shutil
import site
import sys
from pathlib import Path

from panecho_server.wheel import PYTHON_VERSION, Wheel

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


def lay_out_python(directory: Path) -> None:
    """Make a virtual environment that adds one thing to this one: it writes no bytecode.

    Triton takes ``__pycache__`` in the repository for a change of the model. The Python backend's stub ignores
    PYTHONDONTWRITEBYTECODE, but it takes the first ``python3`` of PATH for its environment and runs its ``.pth`` files.
    """
    commands = directory / "bin"
    packages = directory / f"lib/python{PYTHON_VERSION}/site-packages"
    commands.mkdir(parents=True)
    packages.mkdir(parents=True)
    (commands / "python3").symlink_to(sys.executable)
    (directory / "pyvenv.cfg").write_text(f"home = {Path(sys.base_prefix) / 'bin'}\n")
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    (packages / "panecho.pth").write_text(
        "import sys; sys.dont_write_bytecode = True\n"
        f"import site; list(map(site.addsitedir, {[*site.getsitepackages(), *user]!r}))\n"
    )
