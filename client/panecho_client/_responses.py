"""Builds a study's result from the server's tensors."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from panecho_client._contract import EMBEDDING, FRAME_SIZE, KEY_FRAME, VIDEO_STATUS, Tensors, is_ok, video_task
from panecho_client._description import VERSION, Task, Weights
from panecho_client._exceptions import IncompatibleServerError
from panecho_client._results import Prediction, StudyResult, VideoResult


def output_names(tasks: Sequence[Task], *, embedding: bool = False, key_frames: bool = False) -> list[str]:
    """Return the outputs to request for ``build_study``."""
    names = [name for task in tasks for name in (task.key, video_task(task.key))]
    return [*names, *([EMBEDDING] if embedding else []), *([KEY_FRAME] if key_frames else []), VIDEO_STATUS]


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
        outputs: Per task ``<task>`` float32 [C] and ``video/<task>`` float32 [N, C]; ``video_status`` bytes [N]; and,
            if requested, ``embedding`` float32 [N, D] and ``key_frame`` uint8 [N, 224, 224, 3].
        tasks: The tasks that were requested.
        files: The N files.
        weights: Whose weights the server runs.
        parameters: Request parameters.

    Raises:
        IncompatibleServerError: A tensor is missing or has another shape.
    """
    count = len(files)
    statuses = [status.decode(errors="replace") for status in _tensor(outputs, VIDEO_STATUS, (count,))]
    rows = {task.key: _tensor(outputs, video_task(task.key), (count, task.size)) for task in tasks}
    embeddings = _rows(outputs, EMBEDDING, (count, None))
    key_frames = _rows(outputs, KEY_FRAME, (count, FRAME_SIZE, FRAME_SIZE, 3))
    videos = []
    for index, (file, status) in enumerate(zip(files, statuses, strict=True)):
        ok = is_ok(status)
        videos.append(
            VideoResult(
                path=file,
                status=status,
                predictions={task.key: _prediction(task, rows[task.key][index]) for task in tasks} if ok else {},
                embedding=embeddings[index].copy() if ok and embeddings is not None else None,
                key_frame=key_frames[index].copy() if ok and key_frames is not None else None,
            )
        )
    return StudyResult(
        predictions={task.key: _prediction(task, _tensor(outputs, task.key, (task.size,))) for task in tasks},
        videos=tuple(videos),
        weights=weights,
        parameters=parameters,
    )


def _rows(outputs: Tensors, name: str, shape: tuple[int | None, ...]) -> NDArray[Any] | None:
    return _tensor(outputs, name, shape) if name in outputs else None


def _tensor(outputs: Tensors, name: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
    tensor = outputs.get(name)
    if tensor is None:
        raise IncompatibleServerError(f"the server did not send {name!r}; use a server of version {VERSION}.")
    if len(tensor.shape) != len(shape) or any(
        expected not in (None, found) for expected, found in zip(shape, tensor.shape, strict=True)
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
