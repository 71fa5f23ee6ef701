"""The networks that are trained: an encoder of clips, and heads of which one matrix holds all."""

from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.video import r3d_18

from panecho_model.architecture import ClipEncoder, EncoderShape, normalisation
from panecho_model.tasks import Task
from panecho_training.recipe import VIDEO_ENCODERS, Recipe

__all__ = ["HeadScale", "Network", "ProjectedImageEncoder", "VideoEncoder", "make_encoder"]

KINETICS = EncoderShape(mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989))
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
ECHO_CLIP_WIDTH = 512


class VideoEncoder(nn.Module):
    """torchvision's r3d_18 without its classes: true clips [K, 3, T, H, W] to 512 numbers."""

    scale: Tensor
    shift: Tensor
    features = 512

    def __init__(self) -> None:
        super().__init__()
        self.video = r3d_18(weights=None)
        self.video.fc = nn.Identity()
        scale, shift = normalisation(KINETICS)
        self.register_buffer("scale", scale.view(3, 1, 1, 1), persistent=False)
        self.register_buffer("shift", shift.view(3, 1, 1, 1), persistent=False)

    def forward(self, clips: Tensor, *, normalise: bool) -> Tensor:
        """Return embeddings FP32 [K, 512], of clips as ``ClipEncoder`` takes them."""
        embedding: Tensor = self.video(clips * self.scale + self.shift if normalise else clips)
        return embedding


class ProjectedImageEncoder(nn.Module):
    """EchoCLIP's image tower: a ConvNeXt-Base, and a matrix from its 1,024 features to 512."""

    num_features = ECHO_CLIP_WIDTH

    def __init__(self) -> None:
        super().__init__()
        trunk: Any = timm.create_model("convnext_base", pretrained=False, num_classes=0)
        self.trunk = trunk
        self.projection = nn.Linear(int(trunk.num_features), ECHO_CLIP_WIDTH, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return features [N, 512] of normalised images [N, 3, H, W]."""
        features: Tensor = self.projection(self.trunk(images))
        return features


class HeadScale(nn.Module):
    """From what the heads compute to the tasks' units: multiply by the deviation, add the mean.

    With the published loss, heads compute in the tasks' units, and this changes nothing.
    """

    deviation: Tensor
    mean: Tensor

    def __init__(self, tasks: tuple[Task, ...], *, standardised: bool) -> None:
        super().__init__()
        scaled = [(task, standardised and task.kind == "regression") for task in tasks for _ in range(task.size)]
        deviation = [task.training_deviation or 1.0 if yes else 1.0 for task, yes in scaled]
        mean = [task.training_mean or 0.0 if yes else 0.0 for task, yes in scaled]
        self.register_buffer("deviation", torch.tensor(deviation, dtype=torch.float64), persistent=False)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64), persistent=False)

    def in_units(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return logits [N, heads] as a released model's heads give them."""
        scaled: NDArray[np.float64] = logits * self.deviation.cpu().numpy() + self.mean.cpu().numpy()
        return scaled

    def folded(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return the matrix and bias of heads that compute in the tasks' units."""
        return (
            (weight.double() * self.deviation[:, None]).to(weight.dtype),
            (bias.double() * self.deviation + self.mean).to(bias.dtype),
        )

    def unfolded(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return the matrix and bias to train, of heads that compute in the tasks' units."""
        return (
            (weight.double() / self.deviation[:, None]).to(weight.dtype),
            ((bias.double() - self.mean) / self.deviation).to(bias.dtype),
        )


class Network(nn.Module):
    """What is trained.

    Args:
        encoder: Clips to embeddings.
        tasks: Of the heads, in their order.
        standardised: Whether the heads of measurements compute in deviations from the mean label.
        head_dropout: Share of an embedding's numbers that each head leaves out in training.
    """

    def __init__(
        self,
        encoder: ClipEncoder | VideoEncoder,
        tasks: tuple[Task, ...],
        *,
        standardised: bool,
        head_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.tasks = tasks
        self.heads = nn.Linear(encoder.features, sum(task.size for task in tasks))
        self.scale = HeadScale(tasks, standardised=standardised)
        self.head_dropout = head_dropout

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the heads compute, FP32 [N, heads] whatever the autocast; ``scale`` takes it to the tasks' units.

        Args:
            inputs: Clips UINT8 [N, T, H, W, C], C 1 or 3; or embeddings [N, F].
        """
        embedding = inputs if inputs.ndim == 2 else self.embed(inputs)
        with torch.autocast(embedding.device.type, enabled=False):
            return self._heads(embedding.to(self.heads.weight.dtype))

    def embed(self, clips: Tensor) -> Tensor:
        """Return the embeddings [N, F] of clips."""
        coloured = clips.expand(*clips.shape[:-1], 3)
        embedding: Tensor = self.encoder(coloured.permute(0, 4, 1, 2, 3), normalise=True)
        return embedding

    def _heads(self, embedding: Tensor) -> Tensor:
        if not (self.training and self.head_dropout):
            logits: Tensor = self.heads(embedding)
            return logits
        sizes = [task.size for task in self.tasks]
        weights, biases = torch.split(self.heads.weight, sizes), torch.split(self.heads.bias, sizes)
        parts = [
            nn.functional.linear(nn.functional.dropout(embedding, self.head_dropout), weight, bias)
            for weight, bias in zip(weights, biases, strict=True)
        ]
        return torch.cat(parts, dim=1)


def make_encoder(recipe: Recipe, kind: str) -> ClipEncoder | VideoEncoder:
    """Return an encoder of random weights, for an initialisation of a kind."""
    if kind == "kinetics" or recipe.image_encoder in VIDEO_ENCODERS:
        return VideoEncoder()
    if kind == "echo-clip":
        shape = EncoderShape(layers=recipe.layers, mean=CLIP_MEAN, std=CLIP_STD)
        return ClipEncoder(shape, ProjectedImageEncoder())
    return ClipEncoder(EncoderShape(image_encoder=recipe.image_encoder, layers=recipe.layers))
