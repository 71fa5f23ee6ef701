"""PanEcho as TorchScript: scripted, checked against the eager model, written whole or not at all."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from panecho_export.constants import FRAME_SIZE
from panecho_export.errors import ExportError

Shape = tuple[int, ...]
"""What comes before a frame's height, width and channels: [K, T] of clips, [N] of frames."""

CHECKED_CLIPS: tuple[Shape, ...] = ((1, 1), (1, 8), (3, 5))
CHECKED_FRAMES: tuple[Shape, ...] = ((1,), (5,))
"""Shapes at which an export is compared with the eager model: one frame, several, an odd number of each."""

TOLERANCE = 1e-4
"""Largest absolute difference allowed between TorchScript and eager, both FP32. Measured: 0 to 4e-6."""


@contextmanager
def _torchscript_in_spite_of_deprecation() -> Iterator[None]:
    """Silence torch's deprecation of TorchScript: it is what Triton's PyTorch backend serves."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
        warnings.filterwarnings("ignore", message=".*torch.jit.*deprecated.*", category=DeprecationWarning)
        yield


def random_frames(*shape: int) -> Tensor:
    """Return the same noise every time, UINT8 [*shape, 224, 224, 3]."""
    size = (*shape, FRAME_SIZE, FRAME_SIZE, 3)
    return torch.randint(0, 256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def largest_difference(model: nn.Module, other: nn.Module, frames: Tensor) -> float:
    """Return the largest absolute difference of any output of the two modules on ``frames``."""
    with torch.inference_mode():
        pairs = zip(model(frames), other(frames), strict=True)
        return max(float((a - b).abs().max()) for a, b in pairs)


def script(model: nn.Module, shapes: Iterable[Shape]) -> torch.jit.ScriptModule:
    """Return ``model``, in evaluation mode, as a TorchScript module that takes other shapes than the checked ones too.

    Args:
        model: Takes UINT8 [*shape, 224, 224, 3], returns a tuple of tensors.
        shapes: At which the two are compared.

    Raises:
        ExportError: TorchScript and eager differ by more than ``TOLERANCE``.
    """
    with _torchscript_in_spite_of_deprecation():
        scripted: torch.jit.ScriptModule = torch.jit.script(model)
    for shape in shapes:
        difference = largest_difference(model, scripted, random_frames(*shape))
        if not difference <= TOLERANCE:
            raise ExportError(
                f"TorchScript differs from the eager model by {difference:.2g} (allowed {TOLERANCE:.0e}) "
                f"for frames of shape {list(shape)}. Nothing was written; use torch 2.11.0."
            )
    return scripted


def save(scripted: torch.jit.ScriptModule, path: Path) -> None:
    """Write the module to ``path``, replacing a file there only once the new one is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".pt.partial")
    with _torchscript_in_spite_of_deprecation():
        torch.jit.save(scripted, partial)
    partial.replace(path)
