"""What a rollout looks at before anything changes, and what it leaves in folders."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from panecho_admin.rollout.candidate_checks import CheckError, check_frames, check_study, require_same
from panecho_admin.rollout.exported_repository import read_config, read_export
from panecho_admin.rollout.repository_folders import Folders, renamed, uses_next
from panecho_admin.rollout.synthetic_cines import generated_cines, generated_frames
from panecho_client import FilesError, RequestError
from panecho_client._description import Task
from panecho_preprocessing import ClipOptions, preprocess_study
from panecho_server import TritonServer
from support.commands import Result
from support.commands import invoke as panecho
from support.exports import CONFIG, MODEL, STUDY, TASKS, copy_export, edit

ALL = (*STUDY, "image_encoder")
BACKBONE_CONFIG = "backbone/config.pbtxt"


@pytest.fixture
def export(repository: Path, tmp_path: Path) -> Path:
    return copy_export(repository, tmp_path / "export", ALL)


def test_generated_cines_are_dicom_that_the_server_reads() -> None:
    cines = generated_cines()
    datasets = [dcmread(io.BytesIO(cine)) for cine in cines]
    assert [dataset.pixel_array.shape for dataset in datasets] == [(16, 128, 128)] * 2
    assert {dataset.Modality for dataset in datasets} == {"US"}
    data = np.frombuffer(b"".join(cines), np.uint8)
    sizes = np.array([len(cine) for cine in cines])
    study = preprocess_study(
        data, sizes, ClipOptions.from_parameters({"num_clips": 1, "framing": "whole"}), max_clips=8, threads=1
    )
    assert study.clips.shape == (2, 16, 224, 224, 3)
    assert list(study.video_status) == ["ok", "ok"]
    assert np.abs(study.clips[0].astype(int) - study.clips[1]).mean() > 20
    assert generated_frames().shape == (2, 224, 224, 3)


def test_an_export_is_read(export: Path) -> None:
    found = read_export(export)
    assert sorted(found.models) == sorted(ALL)
    assert len(found.description.tasks) == 40
    assert found.label.startswith("stand-in 0 (fp32, exported 20")


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda export: (export / MODEL).unlink(), "backbone/1/model.pt: is missing"),
        (lambda export: replace(export / MODEL, b"no model"), "backbone/1/model.pt: is no TorchScript file"),
        (lambda export: replace(export / MODEL, (export / MODEL).read_bytes()[:-1000]), "is no TorchScript file"),
        (lambda export: flip_a_bit(export / MODEL), "backbone/1/model.pt: is damaged: the checksum of"),
        (lambda export: flip_a_bit(export / "image_encoder/1/model.pt"), "image_encoder/1/model.pt: is damaged"),
        (lambda export: edit(export / TASKS, '"EF"', '"FE"'), "tasks.json: holds other tasks, or in another order"),
        (lambda export: replace(export / TASKS, b"["), "tasks.json: cannot be read"),
        (lambda export: edit(export / CONFIG, "ensemble_scheduling", "scheduling"), "panecho/config.pbtxt: cannot be"),
        (lambda export: edit(export / CONFIG, 'name: "panecho"', 'name: "other"'), "is of a model 'other'"),
        (lambda export: (export / "backbone/2").mkdir(), "backbone: holds the versions 1, 2"),
        (lambda export: (export / "postprocessing").rename(export / "post"), "postprocessing is missing"),
    ],
)
def test_a_damaged_export_is_refused(export: Path, spoil: Callable[[Path], object], text: str) -> None:
    spoil(export)
    with pytest.raises(FilesError, match=text):
        read_export(export)


def test_a_repository_that_was_never_exported_is_refused(export: Path) -> None:
    edit(export / CONFIG, r"\"exported\": \"", r"\"exported\": null, \"was\": \"")
    with pytest.raises(FilesError, match="it was never exported"):
        read_export(export)


def test_next_models_are_named_so_everywhere(export: Path) -> None:
    ensemble = read_config(export / CONFIG)
    changed = renamed(ensemble)
    assert changed.name == "panecho_next"
    steps = [step.model_name for step in changed.ensemble_scheduling.step]
    assert steps == ["preprocessing_next", "backbone_next", "postprocessing_next"]
    assert (uses_next(ensemble), uses_next(changed)) == (False, True)


# --- what models answer ---

TASKS_OF_TWO = (
    Task(
        key="EF",
        kind="regression",
        description="",
        unit="%",
        group="",
        classes=(),
        positive_class=None,
        inverted=False,
        training_mean=58.0,
    ),
    Task(
        key="RASize",
        kind="binary",
        description="",
        unit=None,
        group="",
        classes=("Dilated", "Normal"),
        positive_class="Dilated",
        inverted=True,
        training_mean=None,
    ),
)


def array(*rows: object) -> NDArray[np.float32]:
    return np.array(rows, np.float32)


@pytest.fixture
def answer() -> dict[str, NDArray[Any]]:
    """What two videos of one clip each are answered; sigmoid(-1) is 0.26894143, sigmoid(2) 0.8807971."""
    return {
        "clip_logits": array([50, 1], [60, -2]),
        "video/EF": array([50], [60]),
        "EF": array(55),
        "video/RASize": array([0.26894143], [0.8807971]),
        "RASize": array(0.57486926),
        "embedding": np.stack([np.zeros(768, np.float32), np.ones(768, np.float32)]),
        "video_status": np.array([b"ok", b"ok"], np.object_),
        "clip_video": np.array([0, 1], np.int32),
        "key_frame": np.zeros((2, 224, 224, 3), np.uint8),
        "video_digest": np.array([b"a", b"b"], np.object_),
    }


def test_a_right_answer_passes(answer: dict[str, NDArray[Any]]) -> None:
    check_study(answer, TASKS_OF_TWO, 2)
    require_same(answer, answer, "panecho", "fp32")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("EF", array(np.nan), "EF holds 1 NaN or infinite of 1 numbers"),
        ("embedding", np.full((2, 768), np.inf, np.float32), "embedding holds 1536 NaN or infinite"),
        ("embedding", np.ones((2, 768), np.float32), "embedding is the same for different inputs"),
        ("embedding", np.ones((2, 767), np.float32), r"embedding has the shape \[2, 767\] instead of \[2, 768\]"),
        ("EF", array(56), "EF is not what clip_logits make of it"),
        ("video/RASize", array([0.73105858], [0.1192029]), "video/RASize is not what clip_logits make of it"),
        ("GLS", array(-18), "too many or missing: GLS"),
        ("video_status", np.array([b"ok", b"EMPTY_FILE: 0 bytes"], np.object_), "video_status is"),
    ],
)
def test_a_wrong_answer_is_named(answer: dict[str, NDArray[Any]], name: str, value: NDArray[Any], text: str) -> None:
    answer[name] = value
    with pytest.raises(CheckError, match=text):
        check_study(answer, TASKS_OF_TWO, 2)


def test_a_missing_output_is_named(answer: dict[str, NDArray[Any]]) -> None:
    del answer["clip_video"]
    with pytest.raises(CheckError, match="too many or missing: clip_video"):
        check_study(answer, TASKS_OF_TWO, 2)


def test_another_model_under_the_same_name_is_noticed(answer: dict[str, NDArray[Any]]) -> None:
    other = answer | {"embedding": np.full((2, 768), 1.01, np.float32) * answer["embedding"]}
    with pytest.raises(CheckError, match=r"`panecho` answers otherwise .* embedding differs by 0.01 of its largest"):
        require_same(other, answer, "panecho", "fp32")
    require_same(other, answer, "panecho", "bf16")


def test_an_image_encoder_that_does_not_look_is_refused() -> None:
    embeddings = np.random.default_rng(0).normal(size=(2, 768)).astype(np.float32)
    check_frames({"frame_embedding": embeddings}, 2)
    with pytest.raises(CheckError, match="frame_embedding is the same"):
        check_frames({"frame_embedding": embeddings[[0, 0]]}, 2)


# --- folders ---


@pytest.fixture
def folders(export: Path, tmp_path: Path) -> Folders:
    served = copy_export(export, tmp_path / "served", ALL)
    (served / "another_model").mkdir()
    (served / "another_model/config.pbtxt").write_text("")
    return Folders(served)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_folders_are_swapped_and_swapped_back(folders: Folders, export: Path) -> None:
    edit(export / BACKBONE_CONFIG, "# Clips to logits", "# The new clips to logits")
    folders.stage(read_export(export))
    assert "backbone_next" in names(folders.served)
    assert 'name: "backbone_next"' in (folders.served / "backbone_next/configs/cpu.pbtxt").read_text()
    folders.swap()
    assert names(folders.served) == sorted([*ALL, "another_model"])
    assert names(folders.previous) == sorted([*ALL, "another_model"])
    assert "# The new" in (folders.served / BACKBONE_CONFIG).read_text()
    assert "# The new" not in (folders.previous / BACKBONE_CONFIG).read_text()
    folders.swap_back()
    assert "# The new" not in (folders.served / BACKBONE_CONFIG).read_text()
    folders.tidy()
    assert not folders.next.exists()
    assert not folders.previous.exists()


def test_a_failed_change_keeps_what_was_before_the_served_one(folders: Folders, export: Path) -> None:
    folders.previous.mkdir()
    (folders.previous / "kept").touch()
    folders.stage(read_export(export))
    folders.swap()
    folders.swap_back()
    folders.tidy()
    assert names(folders.previous) == ["kept"]
    assert names(folders.served) == sorted([*ALL, "another_model"])


def test_a_change_that_was_killed_between_two_renames_is_ended(folders: Folders, export: Path) -> None:
    folders.stage(read_export(export))
    folders.served.rename(folders.previous)
    folders.tidy()
    assert names(folders.served) == sorted([*ALL, "another_model"])
    assert read_export(folders.served).models == read_export(export).models


def test_one_change_at_a_time(folders: Folders) -> None:
    with folders.locked(), pytest.raises(RequestError, match="is being changed by another"), folders.locked():
        pass


# --- what a server refuses ---


def invoke(*arguments: str | Path) -> Result:
    return panecho("models", *arguments)


def refusal(server: TritonServer, new: Path, served: Path) -> str:
    result = invoke("deploy", new, "--url", server.grpc_url, "--model-repository", served)
    assert result.exit_code == 1
    assert result.stdout == ""
    return result.stderr


def test_an_export_of_other_parts_is_refused(server: TritonServer, repository: Path, tmp_path: Path) -> None:
    told = refusal(server, copy_export(repository, tmp_path / "export"), repository)
    assert "export the same --parts" in told


def test_an_export_that_defines_a_task_otherwise_is_refused(
    server: TritonServer, repository: Path, export: Path
) -> None:
    edit(export / TASKS, '"inverted": true', '"inverted": false')
    edit(export / CONFIG, r"\"inverted\": true", r"\"inverted\": false")
    told = refusal(server, export, repository)
    assert "defines them otherwise: pericardial-effusion. " in told
    assert "--allow-fewer-tasks" in told


def test_another_repository_than_the_server_reads_is_refused(
    server: TritonServer, export: Path, tmp_path: Path
) -> None:
    served = copy_export(export, tmp_path / "served", ALL)
    edit(served / CONFIG, "stand-in 0", "stand-in 1", count=-1)
    assert f"serves another export than {served} holds" in refusal(server, export, served)


def test_the_served_repository_itself_is_refused(server: TritonServer, repository: Path) -> None:
    assert "is the served repository itself" in refusal(server, repository, repository)


def test_a_damaged_export_is_refused_before_anything_is_loaded(
    server: TritonServer, repository: Path, export: Path
) -> None:
    flip_a_bit(export / MODEL)
    assert "backbone/1/model.pt: is damaged" in refusal(server, export, repository)
    assert "_next" not in server.settings.log_file.read_text()


def test_what_is_served_already_is_left_alone(server: TritonServer, repository: Path, export: Path) -> None:
    result = invoke("deploy", export, "--url", server.grpc_url, "--model-repository", repository)
    assert result.exit_code == 0, result.output
    assert f"{server.grpc_url} serves stand-in 0 (fp32, exported 20" in result.stderr
    assert "already" in result.stderr
    assert "_next" not in server.settings.log_file.read_text()


def test_there_must_be_something_to_go_back_to(server: TritonServer, repository: Path) -> None:
    result = invoke("rollback", "--url", server.grpc_url, "--model-repository", repository)
    assert result.exit_code == 1
    assert "there is nothing to go back to" in result.stderr


def test_a_server_that_is_not_there_or_speaks_http(export: Path, tmp_path: Path) -> None:
    served = copy_export(export, tmp_path / "served", ALL)
    nowhere = invoke("deploy", export, "--url", "127.0.0.1:9", "--model-repository", served)
    assert nowhere.exit_code == 1
    assert "no server answers at 127.0.0.1:9" in nowhere.stderr
    http = invoke("deploy", export, "--url", "http://127.0.0.1:8000", "--model-repository", served)
    assert http.exit_code == 1
    assert "this asks over gRPC; give host:port" in http.stderr


@pytest.mark.parametrize("arguments", [("deploy",), ("rollback", "somewhere"), ("show", "somewhere")])
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "panecho models deploy NEW" in " ".join(result.stderr.split())
