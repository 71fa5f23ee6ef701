"""A network's tensors under their released names, and back: what is saved is what the published code loads."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from panecho_model.checkpoint import is_position_table, released_name, released_shape
from panecho_model.tasks import Task
from panecho_training.errors import TrainingError, listed
from panecho_training.networks import Network

__all__ = ["encoder_tensors", "head_names", "load_encoder", "load_heads", "released_tensors"]

Tensors = Mapping[str, Tensor]


def head_names(task: Task) -> tuple[str, str]:
    """Return the released names of a head's matrix and bias."""
    return f"{task.key}_head.1.weight", f"{task.key}_head.1.bias"


def released_tensors(network: Network) -> dict[str, Tensor]:
    """Return every tensor under its released name and in its released shape, FP32, heads in the tasks' units."""
    tensors = {}
    for name, tensor in network.encoder.state_dict().items():
        released = released_name(f"encoder.{name}")
        tensors[released] = tensor.reshape(released_shape(released, tensor))
    weight, bias = network.scale.folded(network.heads.weight.detach(), network.heads.bias.detach())
    start = 0
    for task in network.tasks:
        rows = slice(start, start + task.size)
        tensors |= dict(zip(head_names(task), (weight[rows], bias[rows]), strict=True))
        start += task.size
    return {name: tensor.detach().float().cpu().clone() for name, tensor in tensors.items()}


def encoder_tensors(tensors: Tensors) -> dict[str, Tensor]:
    """Return those of the tensors that are not of heads."""
    return {name: tensor for name, tensor in tensors.items() if "_head." not in name}


def load_encoder(network: Network, tensors: Tensors, source: str) -> None:
    """Give the network's encoder tensors of released names.

    Raises:
        TrainingError: A tensor is missing, unknown or of another size; the text names them.
    """
    own = {released_name(f"encoder.{name}"): (name, tensor) for name, tensor in network.encoder.state_dict().items()}
    given = encoder_tensors(tensors)
    faults = [f"{name} is missing" for name in own if name not in given]
    faults += [
        f"{name} has {tuple(given[name].shape)}, the recipe's encoder {tuple(tensor.shape)}"
        for name, (_, tensor) in own.items()
        if name in given and given[name].numel() != tensor.numel()
    ]
    faults += [
        f"{name} is unknown" for name, tensor in given.items() if name not in own and not is_position_table(tensor)
    ]
    if faults:
        raise TrainingError(
            f"{source} does not fit the recipe's encoder, {len(faults)} tensors differ:{listed(faults, 8)}"
        )
    state = {name: given[released].float().reshape(tensor.shape) for released, (name, tensor) in own.items()}
    network.encoder.load_state_dict(state)


def load_heads(network: Network, tensors: Tensors, tasks: Sequence[Task]) -> list[str]:
    """Give the network the heads of a checkpoint's tasks that it has too, same kind and classes; return their keys."""
    known = {task.key: task for task in tasks}
    weight, bias = network.scale.folded(network.heads.weight.detach(), network.heads.bias.detach())
    loaded, start = [], 0
    for task in network.tasks:
        rows, other = slice(start, start + task.size), known.get(task.key)
        start += task.size
        if other is None or (other.kind, other.classes, other.inverted) != (task.kind, task.classes, task.inverted):
            continue
        names = head_names(task)
        if all(name in tensors for name in names):
            weight[rows], bias[rows] = tensors[names[0]].to(weight), tensors[names[1]].to(bias)
            loaded.append(task.key)
    unfolded = network.scale.unfolded(weight, bias)
    with torch.no_grad():
        network.heads.weight.copy_(unfolded[0])
        network.heads.bias.copy_(unfolded[1])
    return loaded
