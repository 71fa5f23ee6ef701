"""What `panecho export` leaves behind."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from torch import Tensor

from panecho_export.config_rendering import stale_files
from panecho_export.errors import ExportRepositoryError, ValidationError, VariantError
from panecho_export.manifest import export_date
from panecho_export.repository import copy_repository, export_checkpoint, export_stand_in, source_repository
from panecho_export.variant import Variant
from panecho_model.constants import BOUNDS, Bounds
from panecho_model.tasks import TASKS
from panecho_model.weights_identity import checkpoint_identity
from support.commands import invoke
from support.exports import one_clip_compared

PANECHO = Path(sys.executable).with_name("panecho")


@pytest.fixture
def quick() -> Iterator[None]:
    """For exports that show something else than that their models are right."""
    with one_clip_compared():
        yield


def run_export(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PANECHO, "export", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_stand_in_repository_is_complete_and_says_so(tmp_path: Path) -> None:
    target = tmp_path / "repository"
    result = run_export("--stand-in", "3", "--model-repository", target)
    assert result.returncode == 0, result.stderr
    assert "STAND-IN WEIGHTS" in result.stderr
    assert "differs from the eager FP32 model by at most" in result.stderr
    assert (target / "backbone/1/model.pt").stat().st_size > 110e6  # bf16 where the machine computes it, else more
    assert (target / "image_encoder/1/model.pt").stat().st_size > 110e6
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]
    for model in ("panecho", "image_encoder"):
        assert "stand-in 3" in (target / model / "config.pbtxt").read_text()
    assert stale_files(source_repository()) == []


@pytest.mark.slow
def test_manifest_is_what_the_repository_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cine: Path) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1769860800")
    variant = Variant(clip_length=8, validation_files=(cine,))
    manifest = export_stand_in(0, tmp_path / "repository", variant)
    assert stale_files(tmp_path / "repository", manifest) == []
    assert (manifest.weights.name, manifest.precision, manifest.clip_length) == ("stand-in 0", "fp32", 8)
    assert manifest.exported == "2026-01-31T12:00:00+00:00"
    assert sorted(manifest.versions) == ["panecho-triton", "timm", "torch"]
    assert manifest.parity is not None
    assert manifest.parity.clips == 5 + 4
    assert list(manifest.parity.tasks) == [task.key for task in TASKS]


def test_date_is_now_without_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert abs((datetime.fromisoformat(export_date()) - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.slow
def test_a_model_out_of_bounds_is_not_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(BOUNDS, "fp32", Bounds(regression=-1, probability=-1, embedding=-1))
    with pytest.raises(ValidationError, match="Nothing was written"):
        export_stand_in(0, tmp_path / "repository", Variant(parts=("image_encoder",)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ExportRepositoryError, match=r"taken/repository: cannot be written"):
        export_stand_in(0, tmp_path / "taken" / "repository", Variant(parts=("image_encoder",)))
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "image_encoder").write_text("a file")
    with pytest.raises(ExportRepositoryError, match="cannot be written"):
        export_stand_in(0, tmp_path / "repository", Variant(parts=("image_encoder",)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repository", "taken"]


def test_models_of_another_export_are_not_left_beside(tmp_path: Path) -> None:
    copy_repository(tmp_path)
    with pytest.raises(ExportRepositoryError, match=r"holds models of another export \(panecho, .*postprocessing\)"):
        export_stand_in(0, tmp_path, Variant(parts=("image_encoder",)))


@pytest.mark.long  # test_released exports a checkpoint too
@pytest.mark.usefixtures("quick")
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
    result = invoke("export", "--checkpoint", tmp_path / "panecho.pt", "--model-repository", tmp_path / "repository")
    assert result.exit_code == 1
    assert "no such file" in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tasks", "EF,AVStenoses"), "no task 'AVStenoses'; did you mean AVStenosis"),
        (("--parts", "study,backbone"), "parts are study or backbone"),
        (("--parts", "backbone", "--tasks", "EF"), "tasks go with the part study"),
        (("--parts", "image_encoder", "--precision", "bf16"), "always fp32"),
        (("--validate", "missing.dcm"), "missing.dcm: cannot be read"),
    ],
)
def test_choices_that_do_not_go_together(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    result = invoke("export", "--stand-in", "0", "--model-repository", tmp_path / "repository", *arguments)
    assert result.exit_code == 1
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_unknown_parts_are_a_usage_error(tmp_path: Path) -> None:
    result = invoke(
        "export", "--stand-in", "0", "--model-repository", tmp_path / "repository", "--parts", "study,heads"
    )
    assert result.exit_code == 2
    assert 'Invalid value "heads" for --parts. Choose from: "study", "backbone", "image_encoder".' in result.stderr


def test_clip_length_is_bounded(tmp_path: Path) -> None:
    result = invoke("export", "--stand-in", "0", "--model-repository", tmp_path / "repository", "--clip-length", "65")
    assert result.exit_code == 2
    with pytest.raises(VariantError, match="1 to 64 frames, not 0"):
        Variant(clip_length=0)


def test_neither_weights_nor_stand_in_is_a_usage_error() -> None:
    result = invoke("export")
    assert result.exit_code == 2
    assert "--stand-in SEED" in result.stderr
