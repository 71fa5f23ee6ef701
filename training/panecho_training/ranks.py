"""The processes of a training: one, or as many as ``torchrun`` starts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from panecho_training.errors import TrainingError

__all__ = ["Ranks", "joined_ranks"]

TIMEOUT = timedelta(minutes=30)
"""The first process validates and writes while the others wait."""


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """This process among all.

    Attributes:
        rank: Its number.
        world: Number of processes.
        device: Where it computes.
    """

    rank: int = 0
    world: int = 1
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes."""
        if self.world == 1:
            return values
        total = values.clone().to(self.device)
        dist.all_reduce(total)
        return total.to(values.device)

    def gather(self, value: Any) -> list[Any]:  # noqa: ANN401 - whatever pickles, from this program's own processes
        """Return the value of every process, in all of them."""
        if self.world == 1:
            return [value]
        gathered: list[Any] = [None] * self.world
        dist.all_gather_object(gathered, value)
        return gathered

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def joined_ranks(device: str | None = None) -> Iterator[Ranks]:
    """Join the processes that ``torchrun`` has started; without it, this one is alone.

    Args:
        device: Such as ``cpu`` or ``cuda``; a GPU where there is one by default.

    Raises:
        TrainingError: There is no such device.
    """
    place = _device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield Ranks(device=place)
        return
    backend = "nccl" if place.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=TIMEOUT)
    try:
        yield Ranks(rank=dist.get_rank(), world=dist.get_world_size(), device=place)
    finally:
        dist.destroy_process_group()


def _device(name: str | None, local_rank: int) -> torch.device:
    kind = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(kind, local_rank) if kind == "cuda" else torch.device(kind)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(
            f"device {kind!r} cannot be used: {str(error).splitlines()[0]}; give cpu or cuda."
        ) from None
    if place.type == "cuda":
        torch.cuda.set_device(place)
    return place
