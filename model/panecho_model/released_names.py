"""Gives a module's ``state_dict`` the released names, so that it saves and loads what the published code does."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from panecho_model.checkpoint import is_position_table, released_name, released_shape
from panecho_model.tasks import Task

State = dict[str, Tensor]

HEAD = "heads."
ENCODER = "encoder."


def keep_released_names(module: nn.Module, tasks: Sequence[Task]) -> None:
    """Have ``state_dict`` and ``load_state_dict`` of a module use the released names.

    The module's ``encoder`` is a ``ClipEncoder``. Its ``heads``, which may be missing, are one linear layer whose rows
    are the heads of ``tasks``. Shapes are the released ones too: a layer scale is [C, 1, 1]; each head is a layer.
    """
    module.register_state_dict_post_hook(  # type: ignore[no-untyped-call]  # PyTorch's has no types
        lambda _module, state, prefix, _metadata: _release(state, prefix, tasks)
    )
    module.register_load_state_dict_pre_hook(_Loader(tasks))  # type: ignore[no-untyped-call]  # as above


def _release(state: State, prefix: str, tasks: Sequence[Task]) -> None:
    """Rename the tensors of one module in place."""
    for name in [name for name in state if name.startswith(prefix + ENCODER)]:
        tensor = state.pop(name)
        released = released_name(name.removeprefix(prefix))
        state[prefix + released] = tensor.reshape(released_shape(released, tensor))
    for kind in ("weight", "bias"):
        rows = state.pop(f"{prefix}{HEAD}{kind}", None)
        if rows is not None:
            state |= {prefix + head: rows[columns] for head, columns in head_rows(tasks, kind)}


def head_rows(tasks: Sequence[Task], kind: str) -> Iterator[tuple[str, slice]]:
    """Yield each head's released name, such as ``EF_head.1.weight``, and its rows in the matrix of all heads."""
    start = 0
    for task in tasks:
        yield f"{task.key}_head.1.{kind}", slice(start, start + task.size)
        start += task.size


class _Loader:
    """Turns released names into the module's own before PyTorch loads them.

    A missing tensor is reported under its released name; the module then keeps its own.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks

    def __call__(
        self,
        module: nn.Module,
        state: dict[str, Any],
        prefix: str,
        _metadata: dict[str, Any],
        _strict: bool,  # noqa: FBT001 - as above
        missing: list[str],
        _unexpected: list[str],
        errors: list[str],
    ) -> None:
        own = _own_tensors(module)
        for name in [name for name in own if name.startswith(ENCODER)]:
            state[prefix + name] = _taken(state, prefix + released_name(name), own[name], missing, errors)
        for kind in ("weight", "bias"):
            matrix = own.get(HEAD + kind)
            if matrix is not None:
                loaded = matrix.clone()
                for head, rows in head_rows(self._tasks, kind):
                    loaded[rows] = _taken(state, prefix + head, matrix[rows], missing, errors)
                state[f"{prefix}{HEAD}{kind}"] = loaded
        for name in [name for name in state if name.startswith(prefix) and name.removeprefix(prefix) not in own]:
            if is_position_table(state[name]):
                del state[name]


def _own_tensors(module: nn.Module) -> State:
    tensors = {name: parameter.detach() for name, parameter in module.named_parameters()}
    return {name: tensor for name, tensor in tensors.items() if name.startswith((ENCODER, HEAD))}


def _taken(state: State, released: str, own: Tensor, missing: list[str], errors: list[str]) -> Tensor:
    """Take a tensor out of the state; where it is missing or of another size, note that and return the module's own."""
    tensor = state.pop(released, None)
    if tensor is None:
        missing.append(released)
        return own
    if tensor.numel() != own.numel():
        errors.append(f"{released} has shape {tuple(tensor.shape)}; this model needs {tuple(own.shape)}.")
        return own
    return tensor.reshape(own.shape)
