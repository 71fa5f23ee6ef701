"""The backbone in other inference libraries, on the CPU: ONNX Runtime and OpenVINO, from the eager model's ONNX export.

The export fixes the number of clips, so each number has a separate one.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import onnxruntime  # type: ignore[import-untyped] # ships no types
import openvino  # type: ignore[import-untyped] # as above
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Run: TypeAlias = Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]


class Peer(nn.Module):
    """Another library in the place of the eager model: clips in, logits and embedding out.

    Args:
        runs: What computes, by number of clips.
    """

    def __init__(self, runs: Mapping[int, Run]) -> None:
        super().__init__()
        self._runs = runs

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embedding as FP32."""
        logits, embedding = self._runs[len(clips)](clips.numpy())
        return torch.from_numpy(logits), torch.from_numpy(embedding)


def peer_makers(
    model: nn.Module, clips: Tensor, counts: tuple[int, ...], *, bf16: bool
) -> dict[str, Callable[[], nn.Module]]:
    """Return what makes each peer, by its name in the table.

    Args:
        model: The eager model on the CPU.
        clips: Clips to export with, at least as many as the largest count.
        counts: Numbers of clips that will be asked for.
        bf16: Whether this processor multiplies in bf16. ONNX Runtime does not on x86.
    """
    openings: dict[str, Callable[[Path], Run]] = {
        f"ONNX Runtime {onnxruntime.__version__} fp32": _onnx_runtime,
        f"OpenVINO {_openvino_version()} fp32": partial(_openvino, "f32"),
    }
    if bf16:
        openings[f"OpenVINO {_openvino_version()} bf16"] = partial(_openvino, "bf16")
    return {name: partial(_peer, opening, model, clips, counts) for name, opening in openings.items()}


def _peer(opening: Callable[[Path], Run], model: nn.Module, clips: Tensor, counts: tuple[int, ...]) -> Peer:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        runs = {}
        for count in counts:
            _export(model, clips[:count], path)
            runs[count] = opening(path)
    return Peer(runs)


def _export(model: nn.Module, clips: Tensor, path: Path) -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one fused operator that ONNX does not have
    try:
        torch.onnx.export(
            model, (clips,), path, input_names=["clips"], output_names=["logits", "embedding"], dynamo=False
        )
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _onnx_runtime(path: Path) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options)

    def run(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        logits, embedding = session.run(None, {"clips": array})
        return logits, embedding

    return run


def _openvino(precision: str, path: Path) -> Run:
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", settings)

    def run(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        answer = compiled({0: array})
        return answer[0], answer[1]

    return run


def _openvino_version() -> str:
    return ".".join(openvino.__version__.split("-")[0].split(".")[:2])
