"""The memory through which Triton and its Python models pass tensors: files and clips of studies."""

import secrets
from pathlib import Path

FOLDER = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory
OWNER_ONLY = 0o600
PYTHON_BACKENDS = ("python", "pytorch")
"""Backends with models in processes; the second is ours, in Python."""


class SharedMemory:
    """The regions of one server, known by a name that no other server's have."""

    def __init__(self) -> None:
        self.prefix = f"triton_panecho_{secrets.token_hex(6)}_"

    def options(self) -> list[str]:
        """Return the options of ``tritonserver`` that make it use the name."""
        names = {backend: f"{self.prefix}{backend}_" for backend in PYTHON_BACKENDS}
        return [f"--backend-config={backend},shm-region-prefix-name={name}" for backend, name in names.items()]

    def regions(self) -> set[Path]:
        """Return the regions that exist now."""
        return set(FOLDER.glob(f"{self.prefix}*"))

    def hide(self) -> None:
        """Keep other users of this machine from reading them. Triton makes them readable to all, whatever the umask."""
        for region in self.regions():
            region.chmod(OWNER_ONLY)

    def remove(self) -> None:
        """Remove what a server that died has left; one that stops in order leaves nothing."""
        for region in self.regions():
            region.unlink(missing_ok=True)
