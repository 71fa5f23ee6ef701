"""The precisions of an export, and which one suits this machine."""

from typing import NamedTuple

import torch
from torch import nn

from panecho_export.served_model import ServedPanEcho
from panecho_model.architecture import PanEchoModel
from panecho_model.constants import Precision

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def convert(model: PanEchoModel, precision: Precision) -> nn.Module:
    """Return a module that computes what ``model`` does in ``precision``, on a CPU or a GPU; it can be scripted.

    Args:
        model: In FP32.
        precision: ``fp32`` differs by rounding alone (measured: 8e-6). ``fp16`` is for GPUs: hardly a CPU computes it.

    Returns:
        Takes clips UINT8 [K, T, 224, 224, 3]; gives ``logits`` FP32 [K, n] and ``clip_embedding`` FP32 [K, 768].
    """
    return ServedPanEcho(model, DTYPES[precision])


class Choice(NamedTuple):
    """A precision, and why it was chosen."""

    precision: Precision
    reason: str


def best_precision() -> Choice:
    """Return bf16 where this machine's GPU, or without one its CPU, computes it in hardware; else fp32."""
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Choice("bf16", f"{name} computes bf16")
        return Choice("fp32", f"{name} does not compute bf16")
    if torch.cpu._is_amx_tile_supported():  # noqa: SLF001 - torch has no public name for it
        return Choice("bf16", "the CPU has AMX")
    if torch.cpu._is_avx512_bf16_supported():  # noqa: SLF001 - as above
        return Choice("bf16", "the CPU has AVX-512 BF16")
    return Choice("fp32", "the CPU has neither AVX-512 BF16 nor AMX")


def is_in_hardware(precision: Precision) -> bool:
    """Tell whether this machine's GPU, or without one its CPU, computes ``precision`` in hardware."""
    if precision == "fp16":
        return torch.cuda.is_available() or bool(torch.cpu._is_amx_fp16_supported())  # noqa: SLF001 - as above
    return precision == "fp32" or best_precision().precision == "bf16"
