"""From the server's tensors to a study's result."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from panecho_client._description import VERSION, Task, Weights
from panecho_client._exceptions import IncompatibleServerError
from panecho_client._results import Prediction, StudyResult, VideoResult

Tensors: TypeAlias = Mapping[str, NDArray[Any]]


def output_names(tasks: Sequence[Task], *, embedding: bool) -> list[str]:
    """Return the outputs to request for ``build_study``."""
    names = [name for task in tasks for name in (task.key, f"video/{task.key}")]
    return [*names, *(["embedding"] if embedding else []), "video_status"]


def build_study(
    outputs: Tensors,
    tasks: Sequence[Task],
    files: Sequence[Path],
    *,
    weights: Weights,
    parameters: Mapping[str, int | str],
) -> StudyResult:
    """Build the result from the server's tensors.

    Args:
        outputs: Per task ``<task>`` float32 [C] and ``video/<task>`` float32 [N, C]; ``video_status`` bytes [N]; and
            ``embedding`` float32 [N, D] if it was asked for.
        tasks: The tasks that were asked for.
        files: The N files.
        weights: Whose weights the server runs.
        parameters: Request parameters.

    Raises:
        IncompatibleServerError: A tensor is missing or has another shape.
    """
    statuses = [status.decode(errors="replace") for status in _tensor(outputs, "video_status", (len(files),))]
    rows = {task.key: _tensor(outputs, f"video/{task.key}", (len(files), task.size)) for task in tasks}
    embeddings = _tensor(outputs, "embedding", (len(files), None)) if "embedding" in outputs else None
    videos = []
    for index, (file, status) in enumerate(zip(files, statuses, strict=True)):
        ok = status == "ok"
        videos.append(
            VideoResult(
                path=file,
                status=status,
                predictions={task.key: _prediction(task, rows[task.key][index]) for task in tasks} if ok else {},
                embedding=embeddings[index].copy() if ok and embeddings is not None else None,
            )
        )
    return StudyResult(
        predictions={task.key: _prediction(task, _tensor(outputs, task.key, (task.size,))) for task in tasks},
        videos=tuple(videos),
        weights=weights,
        parameters=parameters,
    )


def _tensor(outputs: Tensors, name: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
    tensor = outputs.get(name)
    if tensor is None:
        raise IncompatibleServerError(f"the server did not send {name!r}; use a server of version {VERSION}.")
    if len(tensor.shape) != len(shape) or any(
        wanted not in (None, found) for wanted, found in zip(shape, tensor.shape, strict=True)
    ):
        raise IncompatibleServerError(
            f"the server sent {name!r} with shape {list(tensor.shape)} instead of {list(shape)}; "
            f"use a server of version {VERSION}."
        )
    return tensor


def _prediction(task: Task, values: NDArray[Any]) -> Prediction:
    numbers = [float(value) for value in values]
    if task.kind == "regression":
        return Prediction(task=task, value=numbers[0], probabilities={}, label=None)
    if task.kind == "binary":
        positive = numbers[0]
        probabilities = {name: positive if name == task.positive_class else 1 - positive for name in task.classes}
        return Prediction(task=task, value=positive, probabilities=probabilities, label=_most_probable(probabilities))
    probabilities = dict(zip(task.classes, numbers, strict=True))
    label = _most_probable(probabilities)
    value = math.nan if label is None else probabilities[label]
    return Prediction(task=task, value=value, probabilities=probabilities, label=label)


def _most_probable(probabilities: Mapping[str, float]) -> str | None:
    if any(math.isnan(value) for value in probabilities.values()):
        return None
    return max(probabilities, key=probabilities.__getitem__)
