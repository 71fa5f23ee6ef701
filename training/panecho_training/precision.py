"""The precision of a training: autocast of the encoder, and a scaler of the loss where gradients could vanish."""

from collections.abc import Callable

import torch
from torch.amp.grad_scaler import GradScaler

from panecho_training.errors import RecipeError

__all__ = ["chosen_precision", "make_autocast", "make_scaler"]

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32, "fp64": torch.float64}
REDUCED = ("bf16", "fp16")


def chosen_precision(name: str, device: torch.device) -> str:
    """Return the precision of a recipe on a device.

    Raises:
        RecipeError: fp16 on a CPU, where the scaler that it needs is not.
    """
    if name == "fp16" and device.type == "cpu":
        raise RecipeError("precision fp16 needs a GPU; on a CPU choose fp32 or bf16.")
    if name != "auto":
        return name
    if device.type == "cpu":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def make_autocast(precision: str, device: torch.device) -> Callable[[], torch.autocast]:
    """Return the context in which the encoder is computed; heads and loss leave it."""
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    return lambda: torch.autocast(device.type, TYPES[precision], enabled=precision in REDUCED)


def make_scaler(precision: str, device: torch.device) -> GradScaler:
    """Return the scaler of the loss; it changes nothing but in fp16."""
    return GradScaler(device.type, enabled=precision == "fp16")
