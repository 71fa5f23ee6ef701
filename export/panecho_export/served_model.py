"""The PanEcho that is served: the eager model's weights, refolded and laid out for speed, in the precision asked for.

What differs from ``PanEchoModel`` in form:

- Images are rows, columns, channels throughout, so nothing is copied between convolutions, LayerNorms and matrices.
- Exact refoldings, computed in FP64: the scale and shift of a LayerNorm go into the matrix or convolution behind it,
  LayerScale into the matrix before it.
- Equal images of a batch are encoded once; see ``shared_images``.
- On a CPU, matrix and GELU are one oneDNN operator, GELU (erf) being applied to FP32 sums; and few images are computed
  at once, so that what one layer writes is still in the cache when the next one reads it.

In reduced precision the image encoder is reduced, up to its pooling. The Transformer and the heads stay FP32: reduced
as well, they double the error (bf16: 0.031 instead of 0.014 in the logits of a real clip) and save 1 % of the time.
"""

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from panecho_export.shared_images import distinct_images
from panecho_model.architecture import PanEchoModel, channel_planes, frame_positions
from panecho_model.constants import IMAGES_PER_PASS


class Linear(nn.Module):
    """A matrix with a bias, followed by GELU if asked.

    Attributes:
        gelu: Whether GELU follows.
        onednn: Whether oneDNN's operator is compiled in. It computes what torch's own do, 2 % (bf16) to 10 % (FP32) of
            the whole model's time faster.
    """

    gelu: Final[bool]
    onednn: Final[bool]

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype, *, gelu: bool = False) -> None:
        super().__init__()
        self.weight = _frozen(weight, dtype)
        self.bias = _frozen(bias, dtype)
        self.gelu = gelu
        self.onednn = torch.backends.mkldnn.is_available() and dtype != torch.float16  # type: ignore[no-untyped-call] # torch

    def forward(self, x: Tensor) -> Tensor:
        """Return FP [..., out] of FP [..., in]."""
        if self.onednn and _runs_onednn(x):
            attribute, algorithm = ("gelu", "none") if self.gelu else ("none", "")
            fused: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001 - torch has no public name for it
                x, self.weight, self.bias, attribute, [], algorithm
            )
            return fused
        y = functional.linear(x, self.weight, self.bias)
        return functional.gelu(y) if self.gelu else y


def _runs_onednn(x: Tensor) -> bool:
    """Tell whether oneDNN computes in ``x``'s type on this machine: the one that serves, not the one that exported."""
    return x.is_cpu and (
        x.dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 - as above
    )


class Convolution(nn.Module):
    """A convolution of images [N, rows, columns, channels]."""

    stride: Final[int]
    padding: Final[int]
    groups: Final[int]

    def __init__(self, convolution: nn.Conv2d, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = _frozen(weight.to(memory_format=torch.channels_last), dtype)
        self.bias = _frozen(bias, dtype)
        self.stride, self.padding = int(convolution.stride[0]), int(convolution.padding[0])
        self.groups = convolution.groups

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved images, laid out as they came."""
        planes = x.permute(0, 3, 1, 2)  # a view: channels-last is how torch calls this layout
        y = functional.conv2d(planes, self.weight, self.bias, self.stride, self.padding, groups=self.groups)
        return y.permute(0, 2, 3, 1)


class Normalisation(nn.Module):
    """LayerNorm over the channels, its scale and shift folded into what follows."""

    channels: Final[int]
    eps: Final[float]

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.channels, self.eps = norm.normalized_shape[0], norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with mean 0 and variance 1 over its last dimension; statistics are FP32 in every precision."""
        return functional.layer_norm(x, (self.channels,), None, None, self.eps)


class Block(nn.Module):
    """A ConvNeXt block of images [N, rows, columns, channels]."""

    def __init__(self, block: Any, dtype: torch.dtype) -> None:  # noqa: ANN401 - timm has no types
        super().__init__()
        depthwise, norm, expand, project = block.conv_dw, block.norm, block.mlp.fc1, block.mlp.fc2
        self.depthwise = Convolution(depthwise, depthwise.weight, depthwise.bias, dtype)
        self.norm = Normalisation(norm)
        weight, scale = expand.weight.double(), block.gamma.double()
        self.expand = Linear(weight * norm.weight, expand.bias + weight @ norm.bias.double(), dtype, gelu=True)
        self.project = Linear(project.weight * scale[:, None], project.bias * scale, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, of the same shape."""
        y: Tensor = self.project(self.expand(self.norm(self.depthwise(x))))
        return y.add_(x)


def _downsampling(downsample: Any, dtype: torch.dtype) -> nn.Sequential:  # noqa: ANN401 - timm has no types
    norm, convolution = downsample
    weight = convolution.weight.double()
    shift = (weight * norm.bias[None, :, None, None]).sum(dim=(1, 2, 3))
    folded = weight * norm.weight[None, :, None, None]
    return nn.Sequential(Normalisation(norm), Convolution(convolution, folded, convolution.bias + shift, dtype))


def _stage(stage: Any, dtype: torch.dtype) -> nn.Sequential:  # noqa: ANN401 - timm has no types
    blocks = nn.Sequential(*(Block(block, dtype) for block in stage.blocks))
    if isinstance(stage.downsample, nn.Identity):
        return blocks
    return nn.Sequential(_downsampling(stage.downsample, dtype), blocks)


def _stem(stem: Any, dtype: torch.dtype) -> nn.Sequential:  # noqa: ANN401 - timm has no types
    convolution, norm = stem
    return nn.Sequential(
        Convolution(convolution, convolution.weight, convolution.bias, dtype), _layer_norm(norm, dtype)
    )


def _layer_norm(norm: nn.LayerNorm, dtype: torch.dtype) -> nn.LayerNorm:
    plain = nn.LayerNorm(list(norm.normalized_shape), norm.eps)
    plain.weight, plain.bias = _frozen(norm.weight, dtype), _frozen(norm.bias, dtype)
    return plain


def _frozen(values: Tensor, dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(values.detach().to(dtype), requires_grad=False)


class ServedPanEcho(nn.Module):
    """What ``PanEchoModel`` computes, faster; Transformer and heads are shared with it, not copied.

    Attributes:
        cpu_images: Images that the first two and the last two stages take at once on a CPU. The first write much and
            have few weights, the last the other way round.
        gpu_images: The same on a GPU, where it bounds the memory alone.
    """

    cpu_images: Final[tuple[int, int]] = (4, 16)
    gpu_images: Final[tuple[int, int]] = (IMAGES_PER_PASS, IMAGES_PER_PASS)
    dtype: Final[torch.dtype]
    scale: Tensor
    shift: Tensor
    rates: Tensor
    kinds: Tensor

    def __init__(self, panecho: PanEchoModel, dtype: torch.dtype) -> None:
        super().__init__()
        encoder = panecho.encoder
        image: Any = encoder.image
        stages = [_stage(stage, dtype) for stage in image.stages]
        self.first = nn.Sequential(_stem(image.stem, dtype), *stages[:2])
        self.last = nn.Sequential(*stages[2:])
        self.norm = _layer_norm(image.head.norm, torch.float32)
        self.transformer, self.heads = encoder.transformer, panecho.heads
        for name in ("scale", "shift", "rates"):
            self.register_buffer(name, getattr(encoder, name), persistent=False)
        self.register_buffer("kinds", torch.tensor([9, 3, 1]), persistent=False)
        self.dtype = dtype
        self.eval()

    def embed_images(self, planes: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Return the features, FP32 [N, 768], of planes UINT8 [N, 3, 224, 224]; what scales them is [N, 1, 1, 3]."""
        first, last = self.gpu_images if planes.is_cuda else self.cpu_images
        features: list[Tensor] = []
        for start in range(0, len(planes), last):
            end = min(start + last, len(planes))
            parts: list[Tensor] = []
            for begin in range(start, end, first):
                part = slice(begin, min(begin + first, end))
                images = planes[part].permute(0, 2, 3, 1) * scale[part] + shift[part]
                parts.append(self.first(images.to(self.dtype).contiguous()))
            features.append(self.last(torch.cat(parts)).mean(dim=(1, 2), dtype=torch.float32))
        embedded: Tensor = self.norm(torch.cat(features))
        return embedded

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return what ``PanEchoModel`` does, of clips UINT8 [K, T, 224, 224, 3]."""
        count, clip_length = clips.shape[0], clips.shape[1]
        if count == 0 or clip_length == 0:
            raise ValueError("clips holds no frame; send at least one clip of at least one frame")
        # The channel of each plane. Each is scaled differently, so equal planes of two channels are not equal.
        channels = torch.arange(3, device=clips.device).repeat_interleave(clip_length).repeat(count).view(-1, 3)
        planes = channel_planes(clips.permute(0, 4, 1, 2, 3))
        first, which = distinct_images(planes, (channels * self.kinds).sum(dim=1))
        if len(first) < len(planes):
            planes, channels = planes[first], channels[first]
        scale, shift = self.scale[channels].view(-1, 1, 1, 3), self.shift[channels].view(-1, 1, 1, 3)
        features = self.embed_images(planes, scale, shift)[which]
        positions = frame_positions(clip_length, self.rates)
        embedding = self.transformer(features.view(count, clip_length, -1) + positions).mean(dim=1)
        return self.heads(embedding), embedding
