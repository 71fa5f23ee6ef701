"""What `panecho export` leaves behind."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from panecho_export.rendering import stale_files
from panecho_export.repository import copy_repository, export_checkpoint, source_repository
from panecho_export.weights import checkpoint_identity, stand_in_identity

PANECHO = Path(sys.executable).with_name("panecho")


def run_export(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PANECHO, "export", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_stand_in_repository_is_complete_and_says_so(tmp_path: Path) -> None:
    target = tmp_path / "repository"
    result = run_export("--stand-in", "3", "--model-repository", target)
    assert result.returncode == 0, result.stderr
    assert "STAND-IN WEIGHTS" in result.stderr
    assert (target / "backbone/1/model.pt").stat().st_size > 160e6
    assert (target / "image_encoder/1/model.pt").stat().st_size > 110e6
    assert not list(target.rglob("*.partial"))
    assert stale_files(target, stand_in_identity(3)) == []
    for model in ("panecho", "image_encoder"):
        assert "stand-in 3" in (target / model / "config.pbtxt").read_text()
    assert stale_files(source_repository()) == []


@pytest.mark.slow
def test_checkpoint_is_named_by_its_hash(weights: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"weights": weights}, tmp_path / "panecho.pt")
    export_checkpoint(tmp_path / "panecho.pt", tmp_path / "repository")
    identity = checkpoint_identity(tmp_path / "panecho.pt")
    config = (tmp_path / "repository/panecho/config.pbtxt").read_text()
    assert identity.sha256 is not None
    assert identity.sha256 in config
    assert '\\"stand_in\\": false' in config


def test_copy_holds_no_weights(tmp_path: Path) -> None:
    copy_repository(tmp_path)
    assert (tmp_path / "preprocessing/1/model.py").is_file()
    assert (tmp_path / "panecho/1").is_dir()
    assert list(tmp_path.rglob("*.pt")) == []


def test_missing_checkpoint_is_one_clear_line(tmp_path: Path) -> None:
    result = run_export("--checkpoint", tmp_path / "panecho.pt", "--model-repository", tmp_path / "repository")
    assert result.returncode == 1
    assert "no such file" in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "repository").exists()


def test_neither_weights_nor_stand_in_is_a_usage_error() -> None:
    result = run_export()
    assert result.returncode == 2
    assert "--stand-in SEED" in result.stderr
