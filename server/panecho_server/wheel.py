"""What the embedded server needs from this machine: pytriton's wheel, the platform and libpython."""

import ctypes
import importlib.util
import platform
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from panecho_server.errors import PlatformError

INSTALL = (
    "in a checkout: pip install ./client '.[server]'; "
    "on Python 3.13 also: pip install --no-deps nvidia-pytriton==0.7.0 numpy==1.26.4"
)
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
    def own_libpython(self) -> Path | None:
        """A libpython that came with the wheel and that ``stub`` asks for by name: of 3.13, before its release."""
        pattern = f"libpython{sys.version_info.major}-*.{sys.version_info.minor}.so*"
        return next(self.libraries.glob(pattern), None)

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


def check_numpy() -> None:
    """Raise PlatformError for numpy 2: the wheel's Python backend gives models arrays of wrong numbers then."""
    installed = version("numpy")
    if int(installed.split(".")[0]) > 1:
        raise PlatformError(
            f"numpy {installed} is installed; Triton's Python backend reads arrays of numpy 1 alone: "
            "pip install --no-deps numpy==1.26.4"
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


def find_libpython() -> Path:
    """Return the running Python's shared library.

    Raises:
        PlatformError: There is none; the text says what to install.
    """
    name = f"libpython{PYTHON_VERSION}.so.1.0"
    folders = [Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib"), Path(sys.base_prefix) / "lib"]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    try:
        ctypes.CDLL(name)
        loaded = (line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if name in line)
        return Path(next(loaded))
    except (OSError, StopIteration) as error:
        raise PlatformError(
            f"{name} is missing; Triton's Python models need it. On Debian or Ubuntu: "
            f"apt-get install libpython{PYTHON_VERSION}. A Python built by hand or by pyenv needs --enable-shared."
        ) from error
