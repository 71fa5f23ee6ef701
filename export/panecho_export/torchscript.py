"""PanEcho as TorchScript: scripted, and written whole or not at all."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn


@contextmanager
def _torchscript_in_spite_of_deprecation() -> Iterator[None]:
    """Silence torch's deprecation of TorchScript: it is what Triton's PyTorch backend serves."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
        warnings.filterwarnings("ignore", message=".*torch.jit.*deprecated.*", category=DeprecationWarning)
        yield


def script(model: nn.Module) -> torch.jit.ScriptModule:
    """Return ``model``, in evaluation mode, as a TorchScript module."""
    with _torchscript_in_spite_of_deprecation():
        scripted: torch.jit.ScriptModule = torch.jit.script(model)
    return scripted


def save(scripted: torch.jit.ScriptModule, path: Path) -> None:
    """Write the module to ``path``."""
    with _torchscript_in_spite_of_deprecation():
        torch.jit.save(scripted, path)
