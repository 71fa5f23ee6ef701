"""Two small TorchScript models, added to the served repository to test the ``pytorch`` backend with."""

from pathlib import Path

import torch
from torch import Tensor, nn

SMALL_MODELS = ("doubling", "dictionary")

CONFIG = """
name: "{name}"
backend: "pytorch"
max_batch_size: 8
input [ {{ name: "values" data_type: TYPE_UINT8 dims: [ 2 ] }} ]
output [
  {{ name: "doubled" data_type: TYPE_FP32 dims: [ 2 ] }},
  {{ name: "total" data_type: TYPE_FP32 dims: [ 1 ] }}
]
dynamic_batching {{ max_queue_delay_microseconds: 300000 }}
"""


class Doubling(nn.Module):
    """Fails as a whole when any value of the batch is 255."""

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        if bool((values == 255).any()):
            raise ValueError("255 cannot be doubled")
        return values.float() * 2, values.float().sum(dim=1, keepdim=True)


class Dictionary(nn.Module):
    """Answers with a dictionary, which Triton's PyTorch backends refuse."""

    def forward(self, values: Tensor) -> dict[str, Tensor]:
        return {"doubled": values.float() * 2, "total": values.float().sum(dim=1, keepdim=True)}


def add_small_models(repository: Path) -> None:
    """Write the models and their configurations."""
    for name, module in zip(SMALL_MODELS, (Doubling(), Dictionary()), strict=True):
        version = repository / name / "1"
        version.mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(CONFIG.format(name=name))
        torch.jit.script(module).save(version / "model.pt")  # type: ignore[no-untyped-call] # torch ships no type for it
