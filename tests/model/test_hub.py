"""The published call: its options, its numbers, and a module that trains, saves and loads."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from panecho_model import PanEcho
from panecho_model.errors import InputError, TaskError
from panecho_model.published import ClipEmbedder, FrameEmbedder, TaskPredictor
from panecho_model.tasks import TASKS
from support.reference_clips import float_clip

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-5
Golden = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def checkpoint(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "panecho.pt"
    torch.save({"weights": weights}, path)
    return path


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> nn.Module:
    return PanEcho(weights=checkpoint)


def clip(length: int) -> Tensor:
    return torch.from_numpy(float_clip(length))


@pytest.mark.parametrize("length", [8, 16, 32])
def test_published_numbers(model: nn.Module, golden: Golden, length: int) -> None:
    with torch.inference_mode():
        outputs = model(clip(length))
    assert list(outputs) == [task.key for task in TASKS]
    for name, output in outputs.items():
        expected = golden[f"output/{length}/{name}"]
        assert output.shape == expected.shape
        scale = np.maximum(1, np.abs(expected))
        np.testing.assert_allclose(output.numpy() / scale, expected / scale, rtol=0, atol=TOLERANCE, err_msg=name)


def test_raw_heads(checkpoint: Path, golden: Golden) -> None:
    with torch.inference_mode():
        outputs = PanEcho(weights=checkpoint, activations=False, clip_len=8)(clip(8))
    for name, output in outputs.items():
        np.testing.assert_allclose(output.numpy(), golden[f"logits/8/{name}"], rtol=0, atol=TOLERANCE)


def test_both_encoders(checkpoint: Path, golden: Golden) -> None:
    with torch.inference_mode():
        embedding = PanEcho(weights=checkpoint, backbone_only=True)(clip(16))
        features = PanEcho(weights=checkpoint, image_encoder_only=True)(clip(16)[:, :, 0])
    np.testing.assert_allclose(embedding.numpy(), golden["embedding/16"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(features.numpy(), golden["image_embedding"], rtol=0, atol=TOLERANCE)


def test_some_tasks(checkpoint: Path, golden: Golden) -> None:
    with torch.inference_mode():
        outputs = PanEcho(weights=checkpoint, tasks=["AVStenosis", "EF"])(clip(8))
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {"EF": (1, 1), "AVStenosis": (1, 3)}
    np.testing.assert_allclose(outputs["EF"].numpy(), golden["output/8/EF"], rtol=TOLERANCE)
    assert list(PanEcho(pretrained=False, tasks="EF")(torch.zeros(1, 3, 1, 224, 224))) == ["EF"]


def test_through_torch_hub(checkpoint: Path, golden: Golden) -> None:
    options = {"weights": checkpoint, "backbone_only": True}
    loaded = torch.hub.load(str(ROOT), "PanEcho", source="local", **options)  # type: ignore[no-untyped-call]  # PyTorch's
    with torch.inference_mode():
        np.testing.assert_allclose(loaded(clip(8)).numpy(), golden["embedding/8"], rtol=0, atol=TOLERANCE)


def test_the_hub_file_needs_no_installation() -> None:
    """As from a bare checkout: nothing of this repository is on the path but its root."""
    code = (
        "import sys; root = sys.argv[1];"
        "sys.path[:] = [place for place in sys.path if not place.startswith(root) or '.venv' in place];"
        "sys.path.insert(0, root); import hubconf; print(hubconf.PanEcho.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, check=True)
    assert done.stdout == "panecho_model.hub\n"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"image_encoder_only": True, "backbone_only": True}, InputError, "choose one"),
        ({"clip_len": 0}, InputError, "clip_len is 0"),
        ({"tasks": ["ef"]}, TaskError, "did you mean EF"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        PanEcho(pretrained=False, **options)  # type: ignore[arg-type]  # any option


@pytest.mark.parametrize(
    ("module", "given"),
    [
        (TaskPredictor, torch.zeros(1, 16, 3, 224, 224)),
        (TaskPredictor, torch.zeros(1, 3, 16, 224, 224, dtype=torch.uint8)),
        (ClipEmbedder, torch.zeros(3, 16, 224, 224)),
        (ClipEmbedder, torch.zeros(1, 3, 0, 224, 224)),
        (FrameEmbedder, torch.zeros(1, 3, 16, 224, 224)),
    ],
)
def test_other_shapes_are_named(module: type[nn.Module], given: Tensor) -> None:
    with torch.device("meta"):
        made = module()
    with pytest.raises(InputError, match=r"torch\.(float32|uint8) \[[\d, ]+\]; give normalised floating point \[B, 3"):
        made(given)


def test_state_dict_is_the_released_one(model: nn.Module, weights: dict[str, Tensor]) -> None:
    state = model.state_dict()
    assert {name: tensor.shape for name, tensor in state.items()} == {
        name: tensor.shape for name, tensor in weights.items()
    }
    assert all(torch.equal(state[name], tensor) for name, tensor in weights.items())


def test_a_state_of_another_model_is_named_by_released_names() -> None:
    made = TaskPredictor(TASKS[:2])
    missing, unexpected = made.load_state_dict(
        {"EF_head.1.bias": torch.tensor([7.0]), "other": torch.ones(1)}, strict=False
    )
    assert float(made.state_dict()["EF_head.1.bias"]) == 7
    assert "EF_head.1.weight" in missing
    assert unexpected == ["other"]
    with pytest.raises(RuntimeError, match=r"EF_head\.1\.weight has shape \(3, 768\)"):
        made.load_state_dict({**made.state_dict(), "EF_head.1.weight": torch.zeros(3, 768)})


def test_inside_another_module(model: nn.Module) -> None:
    outer = nn.Sequential(model)
    assert "0.EF_head.1.weight" in outer.state_dict()
    outer.load_state_dict(outer.state_dict())


def test_training_lowers_a_loss() -> None:
    torch.manual_seed(0)
    made = TaskPredictor(TASKS[:2], activations=False)
    made.encoder.requires_grad_(requires_grad=False)
    clips, target = torch.randn(1, 3, 2, 224, 224), torch.tensor([[3.0]])
    optimiser = torch.optim.SGD(made.heads.parameters(), lr=1e-3)
    losses = []
    for _ in range(3):
        made.train()
        loss = sum(((output - target) ** 2).mean() for output in made(clips).values())
        assert isinstance(loss, Tensor)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
        optimiser.step()
        made.eval()
        with torch.no_grad():
            losses.append(float(sum(((output - target) ** 2).mean() for output in made(clips).values())))
    assert losses[2] < losses[1] < losses[0]


def test_gradients_reach_every_parameter() -> None:
    made = TaskPredictor(TASKS[:2], activations=False).train()
    outputs = made(torch.randn(1, 3, 2, 224, 224))
    torch.cat(list(outputs.values()), dim=1).sum().backward()  # type: ignore[no-untyped-call]  # PyTorch's
    assert [name for name, parameter in made.named_parameters() if parameter.grad is None] == []


def test_under_autocast(model: nn.Module, golden: Golden) -> None:
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model(clip(8))
    assert float(outputs["EF"]) == pytest.approx(float(golden["output/8/EF"][0, 0]), abs=0.05)


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, panecho_model, panecho_model.tasks, panecho_model.constants; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
