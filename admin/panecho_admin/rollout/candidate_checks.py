"""What a model must answer before studies are sent to it: the right outputs, all of them numbers, as its tasks say."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panecho_client import ServerError, Task
from panecho_client.triton import EMBEDDING_SIZE, FRAME_SIZE, is_ok

Answer = Mapping[str, NDArray[Any]]

# Ours is FP32 too. Of a probability, or relative to a measurement.
ROUNDING = 1e-4

# The same model gives other last digits when its clips share a batch with others'. Of the largest number of an output;
# other weights differ by as much as the numbers themselves.
SAME_MODEL = {"fp32": 0.005, "fp16": 0.01, "bf16": 0.05}
COMPARED = ("clip_logits", "embedding", "frame_embedding")


class CheckError(ServerError):
    """A model answers what it must not."""

    default_code = "FAILED_PRECONDITION"


def check_study(answer: Answer, tasks: Sequence[Task], videos: int) -> None:
    """Check every output of the ensemble for a study of generated cines, one clip each.

    Args:
        answer: What it answered.
        tasks: What it says that it predicts.
        videos: Number of the cines.

    Raises:
        CheckError: The text names the output and what is wrong with it.
    """
    _require_shapes(answer, _study_shapes(tasks, videos))
    statuses = [status.decode(errors="replace") for status in answer["video_status"]]
    if len(statuses) != videos or not all(map(is_ok, statuses)):
        raise CheckError(f"video_status is {statuses} for generated cines.")
    _require_numbers(answer)
    _require_difference(answer, "embedding")
    start = 0
    for task in tasks:
        expected = _by_definition(task, answer["clip_logits"][:, start : start + task.size].astype(np.float64))
        _require_close(f"video/{task.key}", answer[f"video/{task.key}"], expected)
        _require_close(task.key, answer[task.key], expected.mean(axis=0))
        start += task.size


def check_frames(answer: Answer, frames: int) -> None:
    """Check what the image encoder answers for generated frames; errors as of ``check_study``."""
    _require_shapes(answer, {"frame_embedding": (frames, EMBEDDING_SIZE)})
    _require_numbers(answer)
    _require_difference(answer, "frame_embedding")


def require_same(answer: Answer, expected: Answer, model: str, precision: str) -> None:
    """Check that a model of this precision answers as it did under another name.

    Raises:
        CheckError: The text names the output that differs.
    """
    _require_shapes(answer, {name: array.shape for name, array in expected.items()})
    for name in COMPARED:
        if name in expected:
            difference = np.abs(answer[name] - expected[name]).max() / np.abs(expected[name]).max()
            if not difference <= SAME_MODEL[precision]:  # NaN too
                raise CheckError(
                    f"`{model}` answers otherwise than the model that was checked: {name} differs by {difference:.2g} "
                    "of its largest number."
                )


def _study_shapes(tasks: Sequence[Task], videos: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {task.key: (task.size,) for task in tasks}
    shapes |= {f"video/{task.key}": (videos, task.size) for task in tasks}
    shapes |= {"embedding": (videos, EMBEDDING_SIZE), "video_status": (videos,), "clip_video": (videos,)}
    shapes |= {"key_frame": (videos, FRAME_SIZE, FRAME_SIZE, 3), "video_digest": (videos,)}
    return shapes | ({"clip_logits": (videos, sum(task.size for task in tasks))} if tasks else {})


def _require_shapes(answer: Answer, shapes: Mapping[str, tuple[int, ...]]) -> None:
    if answer.keys() != shapes.keys():
        names = ", ".join(sorted(answer.keys() ^ shapes.keys()))
        raise CheckError(f"the outputs are not those of its tasks; too many or missing: {names}.")
    for name, shape in shapes.items():
        if answer[name].shape != shape:
            raise CheckError(f"{name} has the shape {list(answer[name].shape)} instead of {list(shape)}.")


def _require_numbers(answer: Answer) -> None:
    for name, array in answer.items():
        if array.dtype == np.float32 and not np.isfinite(array).all():
            count = int((~np.isfinite(array)).sum())
            raise CheckError(f"{name} holds {count} NaN or infinite of {array.size} numbers.")


def _require_difference(answer: Answer, name: str) -> None:
    """Refuse a model that does not look at what it is shown."""
    if not np.ptp(answer[name], axis=0).any():
        raise CheckError(f"{name} is the same for different inputs.")


def _by_definition(task: Task, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the task reports for logits [N, C]; written apart from the server's code, because it checks that."""
    if task.kind == "regression":
        return logits
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    if task.kind == "multiclass":
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    return np.asarray(1 / (1 + np.exp(logits if task.inverted else -logits)))


def _require_close(name: str, found: NDArray[np.float32], expected: NDArray[np.float64]) -> None:
    if not np.allclose(found, expected, rtol=ROUNDING, atol=ROUNDING):
        raise CheckError(f"{name} is not what clip_logits make of it by the definition of the task.")
