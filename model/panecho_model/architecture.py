"""PanEcho: a ConvNeXt-Tiny per image of a clip, a Transformer over the images, one linear head per task.

The published architecture (Holste et al., JAMA 2025), written on timm's encoder. Two things differ in form and not in
numbers: the heads are one matrix whose rows are in the order of ``TASKS``, and the scaling and normalisation of
uint8 frames is part of the model, so that a quarter of the bytes crosses the wire and the bus.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import timm
import torch
from torch import Tensor, nn

from panecho_model.constants import (
    FEATURES,
    IMAGENET_MEAN,
    IMAGENET_STD,
    IMAGES_PER_PASS,
    TRANSFORMER_HEADS,
    TRANSFORMER_LAYERS,
)
from panecho_model.tasks import TASKS, Task, logits_size


@dataclass(frozen=True, kw_only=True)
class EncoderShape:
    """What may differ from the published encoder of clips in a training; only the published one is served.

    Attributes:
        image_encoder: timm's name of a ConvNeXt.
        layers: Layers of the Transformer.
        attention_heads: Heads of its attention.
        feedforward: Width of its feed-forward; None for that of the features.
        mean: Of each channel, from 0 to 1, that is subtracted.
        std: By which each channel is then divided.
    """

    image_encoder: str = "convnext_tiny"
    layers: int = TRANSFORMER_LAYERS
    attention_heads: int = TRANSFORMER_HEADS
    feedforward: int | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


PUBLISHED_SHAPE = EncoderShape()


def position_rates(features: int = FEATURES) -> Tensor:
    """Return the angular rate of each sin/cos pair of positions, FP32 [384] (Vaswani et al., 2017)."""
    return torch.exp(torch.arange(0, features, 2, dtype=torch.float32) * (-math.log(10000.0) / features))


def frame_positions(clip_length: int, rates: Tensor) -> Tensor:
    """Return the fixed positions of ``clip_length`` frames, FP32 [T, 768]: sin and cos in turn."""
    angles = torch.arange(clip_length, dtype=rates.dtype, device=rates.device)[:, None] * rates
    return torch.stack((torch.sin(angles), torch.cos(angles)), dim=2).flatten(1)


def normalisation(shape: EncoderShape = PUBLISHED_SHAPE) -> tuple[Tensor, Tensor]:
    """Return the scale and shift, FP32 [3] each, that take a channel's 0 to 255 to what the image encoder reads."""
    scale = 1 / (255 * torch.tensor(shape.std))
    return scale, -255 * torch.tensor(shape.mean) * scale


def channel_planes(clips: Tensor) -> Tensor:
    """Return the images that the published model makes of clips [K, 3, T, 224, 224], as [K * T, 3, 224, 224].

    The published code lays a clip out as channel, frame, row, column and then reads it as T images of three planes
    without exchanging channel and frame. So an image mostly holds one colour channel of three consecutive frames, not
    the three channels of one frame. The golden outputs of the published code come out in no other way.
    """
    return clips.reshape(-1, 3, clips.shape[3], clips.shape[4])


class ClipEncoder(nn.Module):
    """Clips to clip embeddings: ConvNeXt-Tiny per image, Transformer over the images, mean.

    Args:
        shape: What differs from the published encoder.
        image: Image encoder to use instead of timm's of that name.

    Attributes:
        images_per_pass: Images that the image encoder takes at once; bounds the memory of a large batch.
        features: Width of the embedding.
    """

    images_per_pass: Final[int] = IMAGES_PER_PASS
    scale: Tensor
    shift: Tensor
    rates: Tensor

    def __init__(self, shape: EncoderShape = PUBLISHED_SHAPE, image: nn.Module | None = None) -> None:
        super().__init__()
        encoder: Any = image or timm.create_model(shape.image_encoder, pretrained=False, num_classes=0)
        self.image: nn.Module = encoder
        self.features = int(encoder.num_features)
        width = shape.feedforward or self.features
        layer = nn.TransformerEncoderLayer(self.features, shape.attention_heads, width, dropout=0.0, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, shape.layers, enable_nested_tensor=False)
        scale, shift = normalisation(shape)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("rates", position_rates(self.features), persistent=False)

    def per_plane(self, values: Tensor, clips: int, clip_length: int) -> Tensor:
        """Return a value per channel, [3], as a value per plane of ``channel_planes``, [K * T, 3, 1, 1]."""
        return values.repeat_interleave(clip_length).repeat(clips).view(-1, 3, 1, 1)

    def embed_images(self, clips: Tensor, *, normalise: bool) -> Tensor:
        """Return the features of the images of clips [K, 3, T, 224, 224] as FP32 [K, T, 768]."""
        count, clip_length = clips.shape[0], clips.shape[2]
        images = torch.split(channel_planes(clips), self.images_per_pass)
        scales = torch.split(self.per_plane(self.scale, count, clip_length), self.images_per_pass)
        shifts = torch.split(self.per_plane(self.shift, count, clip_length), self.images_per_pass)
        features = [
            self.image(image * scale + shift if normalise else image)
            for image, scale, shift in zip(images, scales, shifts)  # noqa: B905 - TorchScript's zip takes no strict
        ]
        return torch.cat(features).view(count, clip_length, -1)

    def forward(self, clips: Tensor, *, normalise: bool) -> Tensor:
        """Return the embeddings of clips [K, 3, T, 224, 224], UINT8 or normalised FP32, as FP32 [K, 768]."""
        features = self.embed_images(clips, normalise=normalise)
        encoded: Tensor = self.transformer(features + frame_positions(clips.shape[2], self.rates))
        return encoded.mean(dim=1)


class PanEchoModel(nn.Module):
    """The whole model, with the heads of its tasks as one matrix.

    Args:
        tasks: In the order of ``TASKS``; one at least.
    """

    def __init__(self, tasks: Iterable[Task] = TASKS) -> None:
        super().__init__()
        self.encoder = ClipEncoder()
        self.heads = nn.Linear(FEATURES, logits_size(tasks))

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embeddings.

        Args:
            clips: UINT8 [K, T, 224, 224, 3], channels in OpenCV's order; any T.

        Returns:
            ``logits`` FP32 [K, 58] (fewer with fewer tasks), heads in the order of ``TASKS``, before activation, and
            ``clip_embedding`` FP32 [K, 768].
        """
        embedding = self.encoder(clips.permute(0, 4, 1, 2, 3), normalise=True)
        return self.heads(embedding), embedding

    @torch.jit.export
    def forward_normalised(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return what ``forward`` does, of clips as the published model takes them.

        Args:
            clips: FP32 [K, 3, T, 224, 224], in [0, 1] and normalised with ``IMAGENET_MEAN`` and ``IMAGENET_STD``.
        """
        embedding = self.encoder(clips, normalise=False)
        return self.heads(embedding), embedding


class WithoutHeads(nn.Module):
    """A PanEcho that tells the embedding of a clip alone."""

    def __init__(self, panecho: nn.Module) -> None:
        super().__init__()
        self.panecho = panecho
        self.train(panecho.training)

    def forward(self, clips: Tensor) -> tuple[Tensor]:
        """Return ``clip_embedding`` FP32 [K, 768] of clips UINT8 [K, T, 224, 224, 3], in a tuple."""
        embedding: Tensor = self.panecho(clips)[1]
        return (embedding,)


class ImageEncoder(nn.Module):
    """The image encoder of a PanEcho alone, on real frames of three channels; its weights are shared, not copied.

    Attributes:
        images_per_pass: As in ``ClipEncoder``.
    """

    images_per_pass: Final[int] = IMAGES_PER_PASS
    scale: Tensor
    shift: Tensor

    def __init__(self, panecho: PanEchoModel) -> None:
        super().__init__()
        self.image = panecho.encoder.image
        scale, shift = normalisation()
        self.register_buffer("scale", scale.view(3, 1, 1), persistent=False)
        self.register_buffer("shift", shift.view(3, 1, 1), persistent=False)
        self.train(panecho.training)

    def forward(self, frames: Tensor) -> tuple[Tensor]:
        """Return the features of each frame.

        Args:
            frames: UINT8 [N, 224, 224, 3], channels in OpenCV's order.

        Returns:
            ``frame_embedding`` FP32 [N, 768], in a tuple, as Triton's PyTorch backends want it.
        """
        images = torch.split(frames.permute(0, 3, 1, 2), self.images_per_pass)
        return (torch.cat([self.image(image * self.scale + self.shift) for image in images]),)
