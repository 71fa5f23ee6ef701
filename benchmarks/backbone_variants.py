"""The forms of the backbone that are compared: eager, as served, compiled, and in other libraries."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from torch import Tensor, nn

from panecho_export.precision import best_precision, convert
from panecho_export.torchscript import save, script
from panecho_model.architecture import PanEchoModel
from panecho_model.constants import Precision

EAGER = "eager fp32"
PRECISIONS: dict[str, tuple[Precision, ...]] = {"cpu": ("fp32", "bf16"), "cuda": ("fp32", "bf16", "fp16")}
_PROGRESS = Console(stderr=True, highlight=False)


def variants(
    model: PanEchoModel, clips: Tensor, counts: tuple[int, ...], *, compile_too: bool, peers: bool
) -> tuple[dict[str, nn.Module], list[str]]:
    """Return the modules to compare, the eager model first, and what was left out, and why.

    Args:
        model: The eager model, FP32.
        clips: Clips on the same device, at least as many as the largest count.
        counts: Numbers of clips that will be asked for.
        compile_too: Whether torch.compile is among them.
        peers: Whether ONNX Runtime and OpenVINO are among them.
    """
    precisions: tuple[Precision, ...] = PRECISIONS[clips.device.type]
    bf16 = "bf16" in precisions and best_precision().precision == "bf16"
    if not bf16:
        precisions = ("fp32",)
    makers = _served_makers(model, precisions)
    if compile_too:
        makers["torch.compile fp32"] = lambda: compiled(model, clips[:1])
    if compile_too and bf16:
        makers["torch.compile bf16 (autocast)"] = lambda: compiled(Autocast(model), clips[:1])
    if peers and clips.device.type == "cpu":
        from benchmarks.backbone_peers import peer_makers  # noqa: PLC0415 - a machine with a GPU may lack these libraries

        makers |= peer_makers(model, clips, counts, bf16=bf16)
    made: dict[str, nn.Module] = {EAGER: model}
    left_out = []
    for name, make in makers.items():
        _PROGRESS.print(f"Making {name}")
        try:
            made[name] = make()
        except Exception as error:  # noqa: BLE001 - whatever a library lacks, the rest is measured
            left_out.append(f"{name}: {type(error).__name__}, {str(error).splitlines()[0]}")
    return made, left_out


class Autocast(nn.Module):
    """The published model in bf16, as torch itself casts it."""

    def __init__(self, model: PanEchoModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embedding as FP32."""
        with torch.autocast(clips.device.type, torch.bfloat16):
            logits, embedding = self.model(clips)
        return logits.float(), embedding.float()


def _served_makers(model: PanEchoModel, precisions: tuple[Precision, ...]) -> dict[str, Callable[[], nn.Module]]:
    def ours(precision: Precision) -> Callable[[], nn.Module]:
        return lambda: served(convert(model, precision))

    return {"TorchScript fp32": lambda: served(model)} | {
        f"ours, TorchScript {precision}": ours(precision) for precision in precisions
    }


def served(module: nn.Module) -> torch.jit.ScriptModule:
    """Return the module as a server has it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        save(script(module), path)
        loaded: torch.jit.ScriptModule = torch.jit.load(path)  # type: ignore[no-untyped-call] # torch ships no type
    return loaded


def compiled(module: nn.Module, clips: Tensor) -> nn.Module:
    """Return the module through torch.compile, compiled for these clips."""
    made: nn.Module = torch.compile(module)  # type: ignore[assignment] # a module, though typed as callable
    made(clips)
    return made
