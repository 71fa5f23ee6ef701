"""TorchScript against the eager model."""

import zipfile
from pathlib import Path

import pytest
import torch

from panecho_export.precision import convert
from panecho_export.torchscript import save, script
from panecho_export.validation import random_frames
from panecho_model.architecture import ImageEncoder, PanEchoModel
from support.slow_precision import middle


def largest_difference(model: torch.nn.Module, other: torch.nn.Module, frames: torch.Tensor) -> float:
    with torch.inference_mode():
        return max(float((a - b).abs().max()) for a, b in zip(model(frames), other(frames), strict=True))


@pytest.mark.parametrize(("clips", "clip_length"), [(1, 1), (2, 3), (1, 16)])
def test_equals_eager(eager: PanEchoModel, scripted: torch.jit.ScriptModule, clips: int, clip_length: int) -> None:
    assert largest_difference(eager, scripted, random_frames(clips, clip_length)) < 1e-5


@pytest.mark.parametrize(("clips", "clip_length"), [(5, 16), (1, 40), (1, 65)])
def test_several_passes_equal_eager(
    eager: PanEchoModel, scripted: torch.jit.ScriptModule, clips: int, clip_length: int
) -> None:
    """More images than one pass takes, and fewer."""
    assert largest_difference(eager, scripted, middle(random_frames(clips, clip_length))) < 1e-5


@pytest.mark.parametrize("frames", [1, 3])
def test_image_encoder_equals_eager(
    eager_image_encoder: ImageEncoder, scripted_image_encoder: torch.jit.ScriptModule, frames: int
) -> None:
    assert largest_difference(eager_image_encoder, scripted_image_encoder, random_frames(frames)) < 1e-5


def test_two_passes_of_the_image_encoder_equal_eager(
    eager_image_encoder: ImageEncoder, scripted_image_encoder: torch.jit.ScriptModule
) -> None:
    """65 are one more than one pass takes."""
    assert largest_difference(eager_image_encoder, scripted_image_encoder, middle(random_frames(65))) < 1e-5


def test_frames_do_not_depend_on_their_batch(scripted_image_encoder: torch.jit.ScriptModule) -> None:
    frames = middle(random_frames(65))
    with torch.inference_mode():
        (together,) = scripted_image_encoder(frames)
        for index in (0, 63, 64):
            (alone,) = scripted_image_encoder(frames[index : index + 1])
            torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=1e-5)


def test_clips_do_not_depend_on_their_batch(eager: PanEchoModel) -> None:
    clips = middle(random_frames(3, 7))
    with torch.inference_mode():
        together, _ = eager(clips)
        alone = torch.cat([eager(clips[index : index + 1])[0] for index in range(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_saved_module_answers_the_same(scripted: torch.jit.ScriptModule, tmp_path: Path) -> None:
    save(scripted, tmp_path / "model.pt")
    loaded = torch.jit.load(tmp_path / "model.pt")  # type: ignore[no-untyped-call] # torch ships no type for it
    assert largest_difference(scripted, loaded, random_frames(1, 2)) == 0


@pytest.fixture(scope="module")
def served(eager: PanEchoModel) -> torch.jit.ScriptModule:
    """The model as it is exported."""
    return script(convert(eager, "fp32"))


def members(path: Path) -> list[bytes]:
    """Return the unpacked content of a TorchScript file, which is a ZIP file, and the file itself."""
    with zipfile.ZipFile(path) as file:
        return [path.read_bytes(), *(file.read(name) for name in file.namelist())]


def test_a_saved_model_names_no_path_of_this_machine(served: torch.jit.ScriptModule, tmp_path: Path) -> None:
    torch.jit.save(served, tmp_path / "plain.pt")
    save(served, tmp_path / "model.pt")
    here = str(Path(__file__).parents[2]).encode()
    assert any(here in content for content in members(tmp_path / "plain.pt"))
    assert not any(here in content for content in members(tmp_path / "model.pt"))
    again = torch.jit.load(tmp_path / "model.pt")  # type: ignore[no-untyped-call] # torch
    assert largest_difference(served, again, random_frames(1, 1)) == 0


@pytest.mark.parametrize("shape", [(0, 1), (1, 0)])
def test_clips_without_a_frame_are_refused_by_name(served: torch.jit.ScriptModule, shape: tuple[int, int]) -> None:
    clips = torch.zeros(*shape, 224, 224, 3, dtype=torch.uint8)
    with pytest.raises(torch.jit.Error, match="clips holds no frame"):
        served(clips)
