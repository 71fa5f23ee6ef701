"""The exported model against the eager FP32 model, on generated clips and on those of real files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from panecho_export.errors import ValidationError
from panecho_export.manifest import ExportParity
from panecho_model.constants import BOUNDS, FRAME_SIZE, MAX_CLIPS, Bounds, Precision
from panecho_model.published import activate
from panecho_model.tasks import Task

GENERATED_CLIPS = ((1, 1), (1, 8), (3, 5))
"""Clips and frames of the generated clips: one of each, several, an odd number of each."""

SHOWN_FAULTS = 5


def random_frames(*shape: int) -> Tensor:
    """Return the same noise every time, UINT8 [*shape, 224, 224, 3]."""
    size = (*shape, FRAME_SIZE, FRAME_SIZE, 3)
    return torch.randint(0, 256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def validation_clips(files: Iterable[Path], clip_length: int) -> list[Tensor]:
    """Return generated clips, then four of each file, UINT8 [K, T, 224, 224, 3] each.

    Raises:
        ValidationError: A file cannot be used, or ``panecho_preprocessing`` is not installed.
    """
    generated = [random_frames(*shape) for shape in GENERATED_CLIPS]
    return generated + [_clips_of_file(path, clip_length) for path in files]


def _clips_of_file(path: Path, clip_length: int) -> Tensor:
    try:
        import numpy as np  # noqa: PLC0415 - comes with the preprocessing

        from panecho_preprocessing import ClipOptions, InvalidRequestError, preprocess_study  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ValidationError(
            "validation on files needs the extra preprocessing; in a checkout: pip install ./client '.[preprocessing]'."
        ) from error
    try:
        content = np.fromfile(path, np.uint8)
        sizes = np.array([len(content)], np.int64)
        study = preprocess_study(content, sizes, ClipOptions(clip_length=clip_length), max_clips=MAX_CLIPS)
    except OSError as error:
        raise ValidationError(f"{path}: cannot be read: {error.strerror or error}") from error
    except InvalidRequestError as error:
        raise ValidationError(f"{path}: cannot be used for validation: {error}") from error
    return torch.from_numpy(study.clips)


def compare(eager: nn.Module, exported: nn.Module, batches: Sequence[Tensor], heads: Sequence[Task]) -> ExportParity:
    """Return how far ``exported`` is from ``eager``.

    Args:
        eager: The FP32 model.
        exported: What is to be written.
        batches: Input of one call each, UINT8.
        heads: Tasks of the first output, ``logits``; without any, the first output is the embedding.
    """
    expected, actual = _outputs(eager, batches), _outputs(exported, batches)
    pairs = zip(_reported(expected, heads).items(), _reported(actual, heads).values(), strict=True)
    differences = {name: float((a - b).abs().max()) for (name, a), b in pairs}
    return ExportParity(clips=len(expected[-1]), embedding=differences.pop("embedding"), tasks=differences)


def _outputs(model: nn.Module, batches: Sequence[Tensor]) -> list[Tensor]:
    with torch.inference_mode():
        answers = [model(batch) for batch in batches]
    return [torch.cat(parts).double() for parts in zip(*answers, strict=True)]


def _reported(outputs: Sequence[Tensor], heads: Sequence[Task]) -> dict[str, Tensor]:
    """Return what the tasks report of each clip, and the embeddings."""
    logits = torch.split(outputs[0], [task.size for task in heads], dim=1) if heads else ()
    values = {task.key: activate(task, part) for task, part in zip(heads, logits, strict=True)}
    return values | {"embedding": outputs[-1]}


def require_parity(parity: ExportParity, heads: Sequence[Task], precision: Precision) -> None:
    """Refuse a model that is further from the eager one than ``BOUNDS`` allows for its precision.

    Raises:
        ValidationError: It names the worst outputs.
    """
    bounds = BOUNDS[precision]
    allowed = {task.key: allowed_difference(task, bounds) for task in heads} | {"embedding": bounds.embedding}
    found = {**parity.tasks, "embedding": parity.embedding}
    faults = [name for name, limit in allowed.items() if not found[name] <= limit]  # so that NaN is a fault
    if faults:
        units = {task.key: f" {task.unit}" for task in heads if task.unit}
        shown = [
            f"{name} by {found[name]:.2g}{units.get(name, '')} (allowed {allowed[name]:.2g})"
            for name in sorted(faults, key=lambda name: found[name] / allowed[name], reverse=True)[:SHOWN_FAULTS]
        ]
        more = f", and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
        raise ValidationError(
            f"the exported {precision} model differs from the eager fp32 model in {', '.join(shown)}{more}. "
            "Nothing was written; export with a higher --precision, and with torch 2.11.0."
        )


def allowed_difference(task: Task, bounds: Bounds) -> float:
    """Return the largest difference of what ``task`` reports that ``bounds`` allow, in the task's unit.

    It is in proportion to the training mean, or to the training labels' deviation where the mean is about 0.
    """
    if task.kind != "regression":
        return bounds.probability
    return bounds.regression * max(abs(task.training_mean or 0), task.training_deviation or 0)
