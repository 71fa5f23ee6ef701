"""Checks clips and frames that a caller has made, and converts them to what the models take."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panecho_client._contract import FRAME_SIZE
from panecho_client._exceptions import RequestError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Half a grey level at either end: rounding of numbers that were 0 or 255.
_SLACK = 0.5


def as_uint8_clips(clips: ArrayLike) -> NDArray[np.uint8]:
    """Return clips as the server takes them.

    Args:
        clips: Array, tensor of PyTorch on any device, or list: UINT8 [K, T, 224, 224, 3], or floating point
            [K, 3, T, 224, 224], scaled to [0, 1] and normalised with ImageNet's mean and standard deviation, as the
            published model takes them. Channels as the caller's preprocessing has them; the published one has OpenCV's
            order, blue first.

    Returns:
        UINT8 [K, T, 224, 224, 3]. Floating-point clips are rounded to grey levels, exactly what they were if they were
        made from whole levels, also in FP16 and bfloat16.

    Raises:
        RequestError: Another type or shape, nothing at all, or numbers that are not normalised grey levels.
    """
    clips = _as_array(clips, "clips")
    if clips.dtype == np.uint8 and clips.ndim == 5 and clips.shape[2:] == (FRAME_SIZE, FRAME_SIZE, 3):
        return np.ascontiguousarray(clips, dtype=np.uint8)
    if (
        clips.dtype.kind == "f"
        and clips.ndim == 5
        and (clips.shape[1], *clips.shape[3:]) == (3, FRAME_SIZE, FRAME_SIZE)
    ):
        return _levels(clips.astype(np.float32, copy=False))
    raise RequestError(
        f"clips are {clips.dtype} of shape {list(clips.shape)}; send uint8 [K, T, 224, 224, 3], or floating-point "
        "[K, 3, T, 224, 224] normalised with ImageNet's mean and standard deviation."
    )


def as_uint8_frames(frames: ArrayLike) -> NDArray[np.uint8]:
    """Return frames UINT8 [N, 224, 224, 3] (array, tensor of PyTorch or list) as an array.

    Raises:
        RequestError: Another type or shape, or none at all.
    """
    frames = _as_array(frames, "frames")
    if frames.dtype != np.uint8 or frames.shape[1:] != (FRAME_SIZE, FRAME_SIZE, 3):
        raise RequestError(f"frames are {frames.dtype} of shape {list(frames.shape)}; send uint8 [N, 224, 224, 3].")
    return np.ascontiguousarray(frames, dtype=np.uint8)


def parts_of(rows: NDArray[np.uint8], size: int) -> Iterator[NDArray[np.uint8]]:
    """Return the rows in parts of at most ``size``."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _as_array(given: ArrayLike, name: str) -> NDArray[np.generic]:
    """Return what a caller gave as an array; RequestError if it is none, or holds nothing."""
    try:
        rows: NDArray[np.generic] = np.asarray(_without_torch(given))
    except (TypeError, ValueError) as error:
        raise RequestError(f"{name} are no array ({error}); give rows of one shape and of numbers.") from None
    if rows.size == 0:
        raise RequestError(f"{name} of shape {list(rows.shape)} hold nothing; send at least one.")
    levels = rows.dtype.kind in "iu" and rows.min() >= 0 and rows.max() <= 255  # lists hold numbers of no small type
    return rows.astype(np.uint8, copy=False) if levels else rows


def _without_torch(given: Any) -> Any:  # noqa: ANN401 - whatever a caller has
    """Return a tensor of PyTorch, or a list of them, as arrays: numpy knows no bfloat16, devices or gradients."""
    if isinstance(given, list | tuple):
        return [_without_torch(item) for item in given]
    if not hasattr(given, "detach"):
        return given
    tensor = given.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def _levels(clips: NDArray[np.float32]) -> NDArray[np.uint8]:
    mean, std = (np.array(values, np.float32)[:, None, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    levels = (clips * std + mean) * 255
    low, high = float(levels.min(initial=0)), float(levels.max(initial=255))
    if not (low >= -_SLACK and high <= 255 + _SLACK):
        raise RequestError(
            f"clips hold grey levels from {low:.1f} to {high:.1f} once ImageNet's normalisation is undone; levels are "
            "0 to 255. Scale to [0, 1] before normalising."
        )
    return np.ascontiguousarray(levels.round().clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 4, 1))
