"""What the embedded server needs from this machine: pytriton's wheel, the platform and libpython."""

import ctypes
import importlib.util
import platform
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from panecho_server.errors import PlatformError

INSTALL = "pip install 'panecho-triton[server]'; on Python 3.13 also: pip install --no-deps nvidia-pytriton==0.7.0"
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Wheel:
    """Paths inside the installed ``nvidia-pytriton`` wheel.

    Attributes:
        root: Its ``pytriton/tritonserver`` folder.
        libraries: Shared libraries that ``tritonserver`` is linked with.
    """

    root: Path
    libraries: Path

    @property
    def tritonserver(self) -> Path:
        """The server's executable."""
        return self.root / "bin" / "tritonserver"

    @property
    def python_backend(self) -> Path:
        """Folder of Triton's Python backend."""
        return self.root / "backends" / "python"

    @property
    def stub(self) -> Path:
        """Executable in which a Python model runs, for the version of Python that runs now."""
        return self.root / "python_backend_stubs" / PYTHON_VERSION / "triton_python_backend_stub"


def check_platform() -> None:
    """Raise PlatformError unless this is Linux on x86-64, for which the wheel's executables are built."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise PlatformError(
            f"the embedded server runs on Linux x86-64 only, this is {sys.platform} {platform.machine()}. "
            "Use NVIDIA's container: nvcr.io/nvidia/tritonserver:26.11-py3."
        )


def find_wheel() -> Wheel:
    """Return the installed wheel.

    Raises:
        PlatformError: It is not installed, or has no Python backend for the running Python.
    """
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise PlatformError(f"nvidia-pytriton is not installed: {INSTALL}")
    package = Path(spec.origin).parent
    wheel = Wheel(package / "tritonserver", package.parent / "nvidia_pytriton.libs")
    if not wheel.stub.is_file():
        versions = ", ".join(sorted(path.name for path in wheel.stub.parents[1].glob("3.*")))
        raise PlatformError(
            f"nvidia-pytriton has no Python backend for Python {PYTHON_VERSION}; use one of {versions}."
        )
    return wheel


def find_libpython() -> Path | None:
    """Return the folder of the running Python's shared library; None where the system's loader finds it by itself.

    Raises:
        PlatformError: There is none; the text says what to install.
    """
    name = f"libpython{PYTHON_VERSION}.so.1.0"
    folders = [Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib"), Path(sys.base_prefix) / "lib"]
    for folder in folders:
        if (folder / name).is_file():
            return folder
    try:
        ctypes.CDLL(name)
    except OSError as error:
        raise PlatformError(
            f"{name} is missing; Triton's Python models need it. On Debian or Ubuntu: "
            f"apt-get install libpython{PYTHON_VERSION}. A Python built by hand or by pyenv needs --enable-shared."
        ) from error
    return None
