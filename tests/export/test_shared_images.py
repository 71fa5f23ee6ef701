"""Equal images of a batch are computed once, and the numbers stay."""

import pytest
import torch
from torch import Tensor

from panecho_export.shared_images import distinct_images
from panecho_export.validation import random_frames
from panecho_model.architecture import PanEchoModel, channel_planes
from panecho_preprocessing import ClipOptions
from panecho_preprocessing.sampling import clip_starts
from support.slow_precision import middle


def overlapping(starts: list[int], clip_length: int = 16, rows: int = 8) -> Tensor:
    """Clips UINT8 [K, T, rows, rows, 3] of one random cine."""
    cine = torch.randint(0, 256, (64, rows, rows, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return torch.stack([cine[start : start + clip_length] for start in starts])


def images(clips: Tensor) -> Tensor:
    return channel_planes(clips.permute(0, 4, 1, 2, 3))


def count(clips: Tensor, kinds: Tensor | None = None) -> int:
    planes = images(clips)
    first, which = distinct_images(planes, torch.zeros(len(planes), dtype=torch.int64) if kinds is None else kinds)
    assert torch.equal(planes[first][which], planes)
    return len(first)


@pytest.mark.parametrize(
    ("starts", "distinct"), [([0, 6, 9, 12], 34), ([0, 3, 9, 12], 34), ([0, 1, 2], 48), ([0, 0], 16), ([5], 16)]
)
def test_overlapping_clips_share_images(starts: list[int], distinct: int) -> None:
    assert count(overlapping(starts)) == distinct


def test_default_clips_of_a_short_cine_share_half() -> None:
    assert count(overlapping(clip_starts(30, ClipOptions()).tolist())) == 34


def test_images_of_other_kinds_are_different() -> None:
    assert count(torch.zeros((1, 16, 8, 8, 3), dtype=torch.uint8), torch.arange(16) % 4) == 4


def test_a_hash_alone_proves_nothing() -> None:
    """Images that differ only where nothing is hashed."""
    clips = torch.zeros((1, 16, 8, 8, 3), dtype=torch.uint8)
    images(clips)
    clips[0, 0, 0, 1, 0] = 1
    planes = images(clips)
    first, which = distinct_images(planes, torch.zeros(16, dtype=torch.int64))
    assert torch.equal(planes[first][which], planes)
    assert len(first) == 16  # all are computed then


@pytest.mark.parametrize("starts", [[0, 3, 9, 12], [0, 5, 9, 14], [0, 0]])
def test_numbers_are_those_of_each_clip_alone(
    eager: PanEchoModel, scripted: torch.jit.ScriptModule, starts: list[int]
) -> None:
    cine = middle(random_frames(1, 20))[0]
    clips = torch.stack([cine[start : start + 6] for start in starts])
    with torch.inference_mode():
        logits, embedding = scripted(clips)
        for index in range(len(clips)):
            alone = scripted(clips[index : index + 1])
            torch.testing.assert_close(logits[index : index + 1], alone[0], rtol=1e-6, atol=1e-5)
            torch.testing.assert_close(embedding[index : index + 1], alone[1], rtol=0, atol=1e-5)
        torch.testing.assert_close(logits, eager(clips)[0], rtol=1e-6, atol=1e-5)
