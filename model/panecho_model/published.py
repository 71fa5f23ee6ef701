"""PanEcho with the published inputs and outputs: normalised clips in, a dictionary of tasks out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from panecho_model.architecture import ClipEncoder
from panecho_model.constants import FEATURES, FRAME_SIZE
from panecho_model.errors import InputError
from panecho_model.released_names import head_rows, keep_released_names
from panecho_model.tasks import TASKS, Task, logits_size

HEAD_DROPOUT = 0.25
"""Published dropout before each head in training; each head draws a separate mask."""


def activate(task: Task, logits: Tensor) -> Tensor:
    """Return what a task reports for its raw head [B, C]: a measurement, or probabilities (seven are 1 - sigmoid)."""
    if task.kind == "regression":
        return logits
    if task.kind == "multiclass":
        return logits.softmax(dim=-1)
    return torch.sigmoid(-logits if task.inverted else logits)


class ClipEmbedder(nn.Module):
    """PanEcho without heads (published ``backbone_only``)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ClipEncoder()
        keep_released_names(self, ())

    def forward(self, clips: Tensor) -> Tensor:
        """Return the embedding of each clip, FP32 [B, 768].

        Args:
            clips: FP32 [B, 3, T, 224, 224], in [0, 1] and normalised with the ImageNet mean and deviation; any T.

        Raises:
            InputError: The clips have another shape or are not floating point.
        """
        require_clips(clips)
        embedding: Tensor = self.encoder(clips, normalise=False)
        return embedding


class FrameEmbedder(nn.Module):
    """PanEcho's image encoder alone (published ``image_encoder_only``)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ClipEncoder()
        del self.encoder.transformer
        keep_released_names(self, ())

    def forward(self, frames: Tensor) -> Tensor:
        """Return the features of each frame, FP32 [B, 768].

        Args:
            frames: FP32 [B, 3, 224, 224], normalised as for ``ClipEmbedder``.

        Raises:
            InputError: The frames have another shape or are not floating point.
        """
        if frames.ndim != 4 or frames.shape[1:] != (3, FRAME_SIZE, FRAME_SIZE) or not frames.is_floating_point():
            raise InputError(
                f"frames are {frames.dtype} {list(frames.shape)}; give normalised floating point "
                f"[B, 3, {FRAME_SIZE}, {FRAME_SIZE}]."
            )
        features: Tensor = self.encoder.image(frames)
        return features


class TaskPredictor(nn.Module):
    """PanEcho with one output per task, as published.

    An ordinary trainable module; ``state_dict`` has the released names.

    Args:
        tasks: Tasks to predict, in the order of ``TASKS``.
        activations: Whether to return measurements and probabilities; raw heads otherwise, as a loss needs them.
    """

    def __init__(self, tasks: Sequence[Task] = TASKS, *, activations: bool = True) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        self.activations = activations
        self.encoder = ClipEncoder()
        self.heads = nn.Linear(FEATURES, logits_size(self.tasks))
        keep_released_names(self, self.tasks)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Return a tensor per task, FP32 [B, C]; C is the number of classes of a multi-class task, else 1.

        Args:
            clips: As ``ClipEmbedder.forward`` takes them.

        Raises:
            InputError: As ``ClipEmbedder.forward``.
        """
        require_clips(clips)
        embedding: Tensor = self.encoder(clips, normalise=False)
        heads = self._trained_heads(embedding) if self.training else self._heads(embedding)
        if not self.activations:
            return heads
        return {task.key: activate(task, heads[task.key]) for task in self.tasks}

    def _heads(self, embedding: Tensor) -> dict[str, Tensor]:
        parts = self.heads(embedding).split([task.size for task in self.tasks], dim=1)
        return {task.key: part for task, part in zip(self.tasks, parts, strict=True)}

    def _trained_heads(self, embedding: Tensor) -> dict[str, Tensor]:
        rows = [columns for _, columns in head_rows(self.tasks, "weight")]
        return {
            task.key: nn.functional.linear(
                nn.functional.dropout(embedding, HEAD_DROPOUT), self.heads.weight[row], self.heads.bias[row]
            )
            for task, row in zip(self.tasks, rows, strict=True)
        }


def require_clips(clips: Tensor) -> None:
    """Refuse what is not a batch of normalised clips.

    Raises:
        InputError: The shape or the data type differs; the message has both.
    """
    fits = clips.ndim == 5 and clips.shape[1] == 3 and clips.shape[2] > 0
    if fits and clips.shape[3:] == (FRAME_SIZE, FRAME_SIZE) and clips.is_floating_point():
        return
    raise InputError(
        f"clips are {clips.dtype} {list(clips.shape)}; give normalised floating point [B, 3, T, {FRAME_SIZE}, "
        f"{FRAME_SIZE}] (`panecho_local.normalised_clips` makes them from uint8 frames)."
    )
