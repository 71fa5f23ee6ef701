"""What a machine can compute at best, and what a model computes: floating-point operations."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def matrix_product(size: int, kind: torch.dtype, device: torch.device) -> Callable[[], object]:
    """Return a call that multiplies two square matrices, ``2 * size**3`` operations, and waits for the result."""
    matrix = torch.randn(size, size, device=device).to(kind)

    def call() -> Tensor:
        return (matrix @ matrix)[0, 0].cpu()

    return call


def operations(model: nn.Module, clips: Tensor) -> int:
    """Return the operations of a model on clips."""
    with FlopCounterMode(display=False) as counter:
        model(clips)
    return int(counter.get_total_flops())
