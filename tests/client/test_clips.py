"""Clips and frames that a caller has made, in whatever holds them: arrays, tensors of PyTorch, lists."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike

from panecho_client import RequestError
from panecho_client._clips import IMAGENET_MEAN, IMAGENET_STD, as_uint8_clips, as_uint8_frames

LEVELS = np.random.default_rng(0).integers(0, 256, (2, 3, 224, 224, 3), np.uint8)


def normalised() -> torch.Tensor:
    """The clips as the published model takes them, [K, 3, T, 224, 224]."""
    mean, std = (torch.tensor(values)[:, None, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (torch.from_numpy(LEVELS).permute(0, 4, 1, 2, 3) / 255 - mean) / std


HOLDERS: dict[str, Callable[[torch.Tensor, torch.Tensor], Any]] = {
    "lists": lambda levels, _: levels.tolist(),
    "list of arrays": lambda levels, _: [*levels.numpy()],
    "tensor": lambda levels, _: levels,
    "list of tensors": lambda levels, _: [*levels],
    "normalised tensor": lambda _, floats: floats,
    "tensor with gradients": lambda _, floats: floats.requires_grad_(),
    "half": lambda _, floats: floats.half(),
    "array of halves": lambda _, floats: floats.numpy().astype(np.float16),
    "bfloat16": lambda _, floats: floats.bfloat16(),
    "double": lambda _, floats: floats.double(),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_whatever_holds_clips_gives_their_levels(holder: str) -> None:
    given = HOLDERS[holder](torch.from_numpy(LEVELS[:1]), normalised()[:1])
    np.testing.assert_array_equal(as_uint8_clips(given), LEVELS[:1])


def test_frames_come_as_tensors_and_lists_too() -> None:
    frames: list[Any] = [torch.from_numpy(LEVELS[0]), [*LEVELS[0]]]
    for given in frames:
        np.testing.assert_array_equal(as_uint8_frames(given), LEVELS[0])


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([LEVELS[0], LEVELS[0, :1]], "clips are no array"),
        ("clips", r"clips are <U5 of shape \[\]"),
        (torch.zeros(1, 3, 16, 112, 112), r"clips are float32 of shape \[1, 3, 16, 112, 112\]; send uint8"),
        (torch.full((1, 2, 224, 224, 3), 256), "clips are int64"),
        ([], r"of shape \[0\] hold nothing"),
    ],
)
def test_what_is_no_clip_is_named(given: ArrayLike, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        as_uint8_clips(given)
