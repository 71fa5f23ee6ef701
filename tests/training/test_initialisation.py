"""The five initialisations, from files of the right names; networks that are saved as they are released."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import Tensor
from torchvision.models import convnext_tiny
from torchvision.models.video import r3d_18

from panecho_model.checkpoint import check_layout
from panecho_model.errors import CheckpointError
from panecho_model.tasks import TASKS, Task, find_tasks
from panecho_training.errors import RecipeError, TrainingError
from panecho_training.initialisation import Initialisation, Origin, initialise, why_not_served
from panecho_training.networks import HeadScale, Network, make_encoder
from panecho_training.recipe import Recipe
from panecho_training.released_tensors import released_tensors
from panecho_training.table import Table, read_table
from panecho_training.task_choice import with_statistics

SMALL = Recipe(image_encoder="test_convnext", layers=1)
FULL = Recipe(clip_length=4)


@pytest.fixture(scope="module")
def train(videos: Path) -> Table:
    table, _ = read_table(videos, find_tasks(["EF", "LVIDd"]))
    return table.split("train")


@pytest.fixture(scope="module")
def tasks(train: Table) -> tuple[Task, ...]:
    return tuple(with_statistics(task, train) for task in train.tasks)


def made(text: str, recipe: Recipe, tasks: tuple[Task, ...], train: Table) -> tuple[Network, Origin]:
    return initialise(Initialisation.parse(text), recipe, tasks, train)


def digest(network: Network) -> str:
    tensors = network.encoder.state_dict().values()
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors)).hexdigest()


def test_random_is_of_the_seed_and_not_of_imagenet(tmp_path: Path, tasks: tuple[Task, ...], train: Table) -> None:
    first, origin = made("random", FULL, tasks, train)
    again, _ = made("random", FULL, tasks, train)
    other, _ = made("random", FULL.model_copy(update={"seed": 1}), tasks, train)
    torch.manual_seed(7)
    torch.save(convnext_tiny().state_dict(), tmp_path / "convnext.pth")
    imagenet, from_file = made(f"imagenet={tmp_path / 'convnext.pth'}", FULL, tasks, train)
    assert digest(first) == digest(again)
    assert len({digest(first), digest(other), digest(imagenet)}) == 3
    assert (origin.came, origin.fresh) == ((), ("everything",))
    assert (from_file.came, from_file.fresh) == (("image encoder",), ("Transformer", "heads"))
    stem = torch.load(tmp_path / "convnext.pth")["features.0.0.weight"]
    torch.testing.assert_close(imagenet.encoder.state_dict()["image.stem.0.weight"], stem)


def test_echo_clip(tmp_path: Path, tasks: tuple[Task, ...], train: Table) -> None:
    trunk = timm.create_model("convnext_base", num_classes=0)
    state = {f"visual.trunk.{name}": tensor for name, tensor in trunk.state_dict().items()}
    state |= {"visual.head.proj.weight": torch.randn(512, 1024), "logit_scale": torch.ones(())}
    torch.save({"state_dict": state}, tmp_path / "echo_clip.pt")
    network, origin = made(f"echo-clip={tmp_path / 'echo_clip.pt'}", Recipe(layers=1), tasks, train)
    assert network.encoder.features == 512
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())
    assert "academic research only" in str(origin.licence)
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 32, 32, 3, dtype=torch.uint8)).shape == (1, 2)


def test_kinetics_takes_true_clips(tmp_path: Path, tasks: tuple[Task, ...], train: Table) -> None:
    torch.save(r3d_18().state_dict(), tmp_path / "r3d.pth")
    network, origin = made(f"kinetics={tmp_path / 'r3d.pth'}", FULL, tasks, train)
    assert origin.came == ("video encoder",)
    network.eval()
    clips = torch.randint(0, 256, (1, 4, 32, 32, 3), dtype=torch.uint8)
    mean, std = torch.tensor([0.43216, 0.394666, 0.37645]), torch.tensor([0.22803, 0.22145, 0.216989])
    with torch.inference_mode():
        reference = r3d_18()
        reference.load_state_dict(torch.load(tmp_path / "r3d.pth"))
        reference.fc = torch.nn.Identity()
        expected = reference.eval()(((clips / 255 - mean) / std).permute(0, 4, 1, 2, 3))
        torch.testing.assert_close(network.embed(clips), expected, rtol=1e-4, atol=1e-4)


def test_panecho_brings_its_heads(
    weights: dict[str, Tensor], tmp_path: Path, tasks: tuple[Task, ...], train: Table
) -> None:
    torch.save({"weights": weights}, tmp_path / "panecho.pt")
    fresh = Task(key="new", kind="binary", group="Other", description="A new task", classes=("no", "yes"))
    labels = {**train.labels, "new": np.array([0.0, 1.0, 1.0, 1.0] + [np.nan] * 5)}
    both = Table(**{**vars(train), "labels": labels, "tasks": (*tasks, fresh)})
    network, origin = made(str(tmp_path / "panecho.pt"), FULL, (*tasks, fresh), both)
    assert origin.fresh == ("head new",)
    assert {"image encoder", "Transformer", "head EF", "head LVIDd"} == set(origin.came)
    assert origin.licence == "CC BY-NC-SA 4.0"
    saved = released_tensors(network)
    for name in ("EF_head.1.weight", "LVIDd_head.1.bias", "encoder.encoder.model.features.0.0.weight"):
        torch.testing.assert_close(saved[name], weights[name], rtol=1e-5, atol=1e-5)
    assert saved["new_head.1.bias"].item() == pytest.approx(np.log(3), abs=1e-5)  # 3 of 4 are yes


def test_all_40_heads_have_the_released_layout() -> None:
    network = Network(make_encoder(Recipe(), "random"), TASKS, standardised=True)
    check_layout(released_tensors(network))


def test_a_wrong_file_lists_the_tensors(tmp_path: Path, tasks: tuple[Task, ...], train: Table) -> None:
    torch.save(convnext_tiny().state_dict(), tmp_path / "other.pth")
    with pytest.raises(TrainingError, match=r"does not fit the recipe's encoder, \d+ tensors differ:\n  encoder"):
        made(str(tmp_path / "other.pth"), FULL, tasks, train)
    with pytest.raises(TrainingError, match=r"kinetics \(other.pth\) does not fit.*layer1"):
        made(f"kinetics={tmp_path / 'other.pth'}", FULL, tasks, train)
    (tmp_path / "lfs.pt").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CheckpointError, match="Git LFS pointer"):
        made(str(tmp_path / "lfs.pt"), FULL, tasks, train)


def test_an_initialisation_that_is_not_there() -> None:
    with pytest.raises(RecipeError, match="Give a checkpoint"):
        Initialisation.parse("imagenet=/nowhere/convnext.pth")
    with pytest.raises(RecipeError, match="no such file"):
        Initialisation.parse("randon")


def test_heads_are_saved_in_the_tasks_units(tasks: tuple[Task, ...]) -> None:
    scale = HeadScale(tasks, standardised=True)
    weight, bias, embedding = torch.randn(2, 8), torch.randn(2), torch.randn(5, 8)
    standardised = torch.nn.functional.linear(embedding, weight, bias)
    folded = torch.nn.functional.linear(embedding, *scale.folded(weight, bias))
    np.testing.assert_allclose(folded.numpy(), scale.in_units(standardised.numpy()), rtol=1e-5, atol=1e-4)
    for back, one in zip(scale.unfolded(*scale.folded(weight, bias)), (weight, bias), strict=True):
        torch.testing.assert_close(back, one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("recipe", "kind", "why"),
    [
        (Recipe(), "panecho", ""),
        (Recipe(clip_length=32, frame_stride=2), "imagenet", ""),
        (Recipe(), "echo-clip", "512 numbers wide"),
        (Recipe(image_encoder="r3d_18"), "random", "512 numbers wide"),
        (Recipe(layers=2, frame_size=112), "panecho", "2 layers, its frames have 112 pixels"),
        (SMALL, "random", "image encoder is test_convnext"),
    ],
)
def test_what_can_be_served(recipe: Recipe, kind: str, why: str) -> None:
    assert (why in why_not_served(recipe, kind)) if why else why_not_served(recipe, kind) == ""  # type: ignore[arg-type]


def test_heads_stay_fp32_under_autocast(tasks: tuple[Task, ...], train: Table) -> None:
    """In bf16, numbers between 32 and 64 are a quarter apart: predictions near 59 would take 4 values per unit."""
    network, _ = made("random", SMALL.model_copy(update={"layer_scale": 1.0, "loss": "published"}), tasks, train)
    with torch.no_grad():
        network.heads.bias[0] = 59.0
        network.heads.weight[0] *= 0.2
    clips = torch.randint(0, 256, (64, 2, 32, 32, 3), dtype=torch.uint8)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        logits = network(clips)
    assert logits.dtype == torch.float32
    values = logits[:, 0].double()
    near = values[(values - 59).abs() < 2]
    assert len(near.unique()) > 8 * (near.max() - near.min()).item()
    assert len(near.unique()) > 16
