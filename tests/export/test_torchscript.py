"""TorchScript against the eager model."""

from pathlib import Path

import pytest
import torch

from panecho_export.errors import ExportError
from panecho_export.model import ImageEncoder, PanEcho
from panecho_export.torchscript import CHECKED_CLIPS, largest_difference, random_frames, save, script


@pytest.mark.parametrize(("clips", "clip_length"), [(1, 1), (2, 3), (1, 16), (5, 16), (1, 40)])
def test_equals_eager(eager: PanEcho, scripted: torch.jit.ScriptModule, clips: int, clip_length: int) -> None:
    """(5, 16) and (1, 40) with another number of images than one pass takes, (1, 1) with a single one."""
    assert largest_difference(eager, scripted, random_frames(clips, clip_length)) < 1e-5


@pytest.mark.parametrize("frames", [1, 3, 65])
def test_image_encoder_equals_eager(
    eager_image_encoder: ImageEncoder, scripted_image_encoder: torch.jit.ScriptModule, frames: int
) -> None:
    """65 are one more than one pass takes."""
    assert largest_difference(eager_image_encoder, scripted_image_encoder, random_frames(frames)) < 1e-5


def test_frames_do_not_depend_on_their_batch(scripted_image_encoder: torch.jit.ScriptModule) -> None:
    frames = random_frames(65)
    with torch.inference_mode():
        (together,) = scripted_image_encoder(frames)
        for index in (0, 63, 64):
            (alone,) = scripted_image_encoder(frames[index : index + 1])
            torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=1e-5)


def test_clips_do_not_depend_on_their_batch(eager: PanEcho) -> None:
    clips = random_frames(3, 7)
    with torch.inference_mode():
        together, _ = eager(clips)
        alone = torch.cat([eager(clips[index : index + 1])[0] for index in range(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_saved_module_answers_the_same(scripted: torch.jit.ScriptModule, tmp_path: Path) -> None:
    save(scripted, tmp_path / "1" / "model.pt")
    loaded = torch.jit.load(tmp_path / "1" / "model.pt")  # type: ignore[no-untyped-call] # torch ships no type for it
    assert largest_difference(scripted, loaded, random_frames(1, 2)) == 0
    assert [path.name for path in (tmp_path / "1").iterdir()] == ["model.pt"]


class Unstable(torch.nn.Module):
    """Answers differently every time it is called."""

    calls: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls += 1
        return self.calls + clips.sum(), self.calls * 1.0


def test_a_module_that_differs_is_refused() -> None:
    with pytest.raises(ExportError, match=r"differs from the eager model by .* for frames of shape \[1, 1\]"):
        script(Unstable(), CHECKED_CLIPS)
