"""Strict loading of checkpoints in the released format."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from panecho_model.architecture import frame_positions, position_rates
from panecho_model.checkpoint import load_model, released_layout
from panecho_model.checkpoint_files import read_tensors
from panecho_model.errors import CheckpointError
from panecho_model.stand_in import with_training_means

LAYOUT = json.loads((Path(__file__).parent / "data" / "checkpoint_layout.json").read_text())
NAME = "encoder.encoder.model.features.5.8.block.3.weight"


def test_layout_is_the_released_one() -> None:
    assert {name: list(shape) for name, shape in released_layout().items()} == LAYOUT


def test_round_trip_through_a_file(weights: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"weights": weights}, tmp_path / "panecho.pt")
    model = load_model(read_tensors(tmp_path / "panecho.pt"))
    image = model.encoder.image.state_dict()
    assert torch.equal(image["stages.2.blocks.8.mlp.fc1.weight"], weights[NAME])
    assert torch.equal(model.heads.weight[1], weights["EF_head.1.weight"][0])


def test_every_tensor_reaches_the_model(weights: dict[str, Tensor]) -> None:
    model = load_model(weights)
    loaded = sorted(float(tensor.double().sum()) for tensor in model.encoder.state_dict().values())
    given = sorted(float(tensor.double().sum()) for name, tensor in weights.items() if name.startswith("encoder."))
    assert loaded == pytest.approx(given)


def test_position_table_of_a_checkpoint_is_accepted(weights: dict[str, Tensor]) -> None:
    load_model(weights | {"encoder.positions": frame_positions(16, position_rates())[None]})


def test_other_position_table_is_refused(weights: dict[str, Tensor]) -> None:
    with pytest.raises(CheckpointError, match=r"encoder\.positions is unknown, shape \(16, 768\)"):
        load_model(weights | {"encoder.positions": torch.zeros(16, 768)})


def test_missing_tensor_is_named(weights: dict[str, Tensor]) -> None:
    with pytest.raises(CheckpointError, match=r"block\.3\.weight is missing, shape \(1536, 384\)"):
        load_model({name: tensor for name, tensor in weights.items() if name != NAME})


def test_other_shape_is_named(weights: dict[str, Tensor]) -> None:
    with pytest.raises(CheckpointError, match=r"EF_head\.1\.weight has shape \(2, 768\), not \(1, 768\)"):
        load_model(weights | {"EF_head.1.weight": torch.zeros(2, 768)})


def test_unknown_tensor_is_named(weights: dict[str, Tensor]) -> None:
    with pytest.raises(CheckpointError, match=r"BMI_head\.1\.bias is unknown"):
        load_model(weights | {"BMI_head.1.bias": torch.zeros(1)})


def test_many_faults_are_counted(weights: dict[str, Tensor]) -> None:
    heads = {name: tensor for name, tensor in weights.items() if not name.startswith("encoder.transformer")}
    with pytest.raises(CheckpointError, match=r"48 tensors differ(.|\n)*and 38 more"):
        load_model(heads)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        read_tensors(tmp_path / "panecho.pt")


def test_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "panecho.pt"
    path.write_text("hello")
    with pytest.raises(CheckpointError, match="cannot be read as a PyTorch checkpoint") as refused:
        read_tensors(path)
    assert "weights_only" not in str(refused.value)
    assert "panecho.pt" in str(refused.value)


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    path = tmp_path / "panecho.pt"
    torch.save({"weights": {"a": Path("code")}}, path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_tensors(path)


def test_other_format(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "panecho.pt")
    with pytest.raises(CheckpointError, match="no dictionary of tensors"):
        read_tensors(tmp_path / "panecho.pt")


def test_training_means_are_the_biases(weights: dict[str, Tensor]) -> None:
    biased = with_training_means(weights)
    assert biased["EF_head.1.bias"].item() == pytest.approx(59.002175)
    assert torch.equal(biased["LVSize_head.1.bias"], weights["LVSize_head.1.bias"])
