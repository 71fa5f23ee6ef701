"""The memory through which Triton and its Python models pass tensors: files and clips of studies."""

import hashlib
import secrets
from collections.abc import Collection
from pathlib import Path

FOLDER = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory
OWNER_ONLY = 0o600
PYTHON_BACKENDS = ("python", "pytorch")
"""Backends with models in processes; the second is ours, in Python."""


class SharedMemory:
    """The regions of one server, known by a name that no other server's have.

    Args:
        server: A name that stays the same when the server is restarted, such as a container's host name.
        prefix: How the names of the regions begin, instead.
    """

    def __init__(self, server: str | None = None, *, prefix: str = "") -> None:
        name = secrets.token_hex(6) if server is None else hashlib.sha256(server.encode()).hexdigest()[:12]
        self.prefix = prefix or f"triton_panecho_{name}_"

    def options(self, backends: Collection[str] = PYTHON_BACKENDS) -> list[str]:
        """Return the options of ``tritonserver`` that make its backends use the name."""
        names = {backend: f"{self.prefix}{backend}_" for backend in backends}
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
