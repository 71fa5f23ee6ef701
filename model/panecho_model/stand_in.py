"""Stand-in weights: a checkpoint of the released format whose numbers depend on a seed alone.

They let everything run without the released weights. What the model then reports means nothing clinically.
"""

import hashlib
import math

import numpy as np
import torch
from torch import Tensor

from panecho_model.checkpoint import released_layout
from panecho_model.tasks import TASKS


def stand_in_tensor(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    """Return the FP32 tensor of a released name: a scaled normal draw keyed by (seed, name)."""
    key = int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "little")
    noise = np.random.Generator(np.random.Philox(key)).standard_normal(shape, dtype=np.float32)
    if name.endswith("layer_scale"):
        return torch.from_numpy(0.3 + 0.1 * noise)
    if name.endswith("bias"):
        return torch.from_numpy(0.05 * noise)
    if len(shape) == 1:  # the scale of a LayerNorm
        return torch.from_numpy(1.0 + 0.1 * noise)
    return torch.from_numpy(noise * np.float32(1.5 / math.sqrt(math.prod(shape[1:]))))


def stand_in_weights(seed: int = 0) -> dict[str, Tensor]:
    """Return stand-in weights under the released names."""
    return {name: stand_in_tensor(name, shape, seed) for name, shape in released_layout().items()}


def with_training_means(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return ``weights`` with each regression head's bias at its task's training mean: plausible sizes in a report."""
    means = {f"{task.key}_head.1.bias": task.training_mean for task in TASKS if task.training_mean is not None}
    return weights | {name: torch.tensor([mean]) for name, mean in means.items()}
