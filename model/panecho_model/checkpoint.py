"""Checkpoints in the released format: ``{"weights": {released name: tensor}}``, encoder named as in torchvision.

Loading is strict: every tensor is used, none is missing, and a shape that differs is named.
"""

import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from panecho_model.architecture import PanEchoModel, frame_positions, position_rates
from panecho_model.constants import FEATURES
from panecho_model.errors import CheckpointError
from panecho_model.tasks import TASKS, Task

_IMAGE = "encoder.encoder.model."
_TIMM_TO_TORCHVISION = (
    (r"stem\.(\d)\.", r"features.0.\1."),
    (r"head\.norm\.", "classifier.0."),
    (r"stages\.(\d)\.downsample\.", lambda m: f"features.{2 * int(m[1])}."),
    (r"stages\.(\d)\.blocks\.(\d+)\.", lambda m: f"features.{2 * int(m[1]) + 1}.{m[2]}."),
    (r"gamma$", "layer_scale"),
    (r"conv_dw\.", "block.0."),
    (r"(\.\d+)\.norm\.", r"\1.block.2."),
    (r"mlp\.fc1\.", "block.3."),
    (r"mlp\.fc2\.", "block.5."),
)
"""Applied in order to the image encoder's parameter names. torchvision counts downsampling layers as features."""


def released_name(name: str) -> str:
    """Return the released name of one of our encoder's parameters, such as ``encoder.image.stem.0.weight``."""
    if not name.startswith("encoder.image."):
        return name
    image = name.removeprefix("encoder.image.")
    for pattern, replacement in _TIMM_TO_TORCHVISION:
        image = re.sub(pattern, replacement, image)
    return _IMAGE + image


def released_shape(name: str, tensor: Tensor) -> tuple[int, ...]:
    """Return the released shape of a tensor of ours: torchvision's layer scales are [C, 1, 1]."""
    shape = tuple(tensor.shape)
    return (*shape, 1, 1) if name.endswith("layer_scale") else shape


def released_layout(tasks: Iterable[Task] = TASKS) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every tensor of a checkpoint of ``tasks``, as this architecture needs them."""
    with torch.device("meta"):
        model = PanEchoModel()
    names = {released_name(f"encoder.{name}"): tensor for name, tensor in model.encoder.state_dict().items()}
    layout = {name: released_shape(name, tensor) for name, tensor in names.items()}
    for task in tasks:
        layout[f"{task.key}_head.1.weight"] = (task.size, model.heads.in_features)
        layout[f"{task.key}_head.1.bias"] = (task.size,)
    return layout


def check_layout(weights: dict[str, Tensor], tasks: Iterable[Task] = TASKS) -> None:
    """Raise CheckpointError naming every tensor that is missing, of another shape or unknown.

    Args:
        weights: Under their released names.
        tasks: All tasks of the checkpoint.
    """
    layout = released_layout(tasks)
    faults = [f"{name} is missing, shape {shape}" for name, shape in layout.items() if name not in weights]
    for name, tensor in weights.items():
        shape = tuple(tensor.shape)
        if name in layout and shape != layout[name]:
            faults.append(f"{name} has shape {shape}, not {layout[name]}")
        if name not in layout and not is_position_table(tensor):
            faults.append(f"{name} is unknown, shape {shape}")
    if faults:
        shown = "\n  ".join(faults[:10]) + (f"\n  … and {len(faults) - 10} more" if len(faults) > 10 else "")
        raise CheckpointError(f"the checkpoint is not PanEcho's, {len(faults)} tensors differ:\n  {shown}")


def is_position_table(tensor: Tensor) -> bool:
    """Tell whether ``tensor`` holds the fixed positions, which a checkpoint may carry and the model computes."""
    table = tensor.squeeze()
    if table.ndim != 2 or table.shape[1] != FEATURES:
        return False
    return torch.allclose(table.float(), frame_positions(len(table), position_rates()), atol=1e-4)


def _concatenated_heads(weights: dict[str, Tensor], tasks: Sequence[Task], kind: str) -> Tensor:
    return torch.cat([weights[f"{task.key}_head.1.{kind}"] for task in tasks])


def load_model(
    weights: dict[str, Tensor], tasks: Sequence[Task] = TASKS, checkpoint_tasks: Sequence[Task] = TASKS
) -> PanEchoModel:
    """Return PanEcho in evaluation mode with ``weights``, given under their released names.

    Args:
        weights: The whole checkpoint's, whatever the tasks.
        tasks: Those whose heads the model gets, in their order.
        checkpoint_tasks: All tasks of the checkpoint; the release's without.

    Raises:
        CheckpointError: A tensor is missing, unknown or of another shape; the message names it.
    """
    check_layout(weights, checkpoint_tasks)
    with torch.device("meta"):
        names = list(PanEchoModel().encoder.state_dict())
    model = PanEchoModel(tasks).eval().requires_grad_(requires_grad=False)
    _fill(model.encoder, {name: weights[released_name(f"encoder.{name}")] for name in names})
    _fill(model.heads, {kind: _concatenated_heads(weights, tasks, kind) for kind in ("weight", "bias")})
    return model


def _fill(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    own = module.state_dict()
    module.load_state_dict({name: tensor.float().reshape(own[name].shape) for name, tensor in tensors.items()})
