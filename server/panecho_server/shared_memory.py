"""The memory through which Triton and its Python models pass tensors: files and clips of studies."""

from collections.abc import Iterable
from pathlib import Path

REGIONS = "/dev/shm/triton_"  # noqa: S108 - where Linux keeps shared memory, and how Triton's Python backend names its own
OWNER_ONLY = 0o600


def regions_of(process: int) -> set[Path]:
    """Return Triton's regions that a process has mapped; none of a process that is gone."""
    try:
        lines = Path(f"/proc/{process}/maps").read_text().splitlines()
    except OSError:
        return set()
    paths = (Path(REGIONS + rest) for _, found, rest in (line.partition(REGIONS) for line in lines) if found)
    return {path for path in paths if path.exists()}


def hide(regions: Iterable[Path]) -> None:
    """Keep other users of this machine from reading regions. Triton makes them readable to all, whatever the umask."""
    for region in regions:
        region.chmod(OWNER_ONLY)


def remove(regions: Iterable[Path]) -> None:
    """Remove what a server that was killed has left; one that stops in order leaves nothing."""
    for region in regions:
        region.unlink(missing_ok=True)
