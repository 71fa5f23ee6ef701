"""Rendered files are current, and a hand that edits them is caught."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from panecho_export.config_rendering import MODELS, TASKS_JSON, rendered, stale_files
from panecho_export.errors import ExportRepositoryError
from panecho_export.manifest import ExportManifest
from panecho_model.constants import MAX_CLIPS, MAX_FRAMES
from panecho_model.tasks import TASKS, find_tasks

REPOSITORY = Path(__file__).parents[2] / "model_repository"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY, tmp_path / "repository", ignore=shutil.ignore_patterns("*.pt"))
    return tmp_path / "repository"


def run_check(repository: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "panecho_export.config_rendering", "--check", str(repository)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_repository_is_current() -> None:
    assert stale_files(REPOSITORY) == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (TASKS_JSON, "Left ventricular (LV) ejection", "Left ejection"),
        (Path("panecho/config.pbtxt"), '"AVStenosis" data_type', '"AvStenosis" data_type'),
        (Path("postprocessing/config.pbtxt"), '"video/EF" data_type', '"video/ef" data_type'),
        (Path("postprocessing/config.pbtxt"), "panecho export", "panecho import"),
        (Path("backbone/config.pbtxt"), "dims: [ 58 ]", "dims: [ 57 ]"),
        (Path("preprocessing/config.pbtxt"), str(MAX_CLIPS), "7"),
        (Path("preprocessing/config.pbtxt"), 'string_value: "16"', 'string_value: "17"'),
        (Path("backbone/config.pbtxt"), "dims: [ 16, 224", "dims: [ 17, 224"),
        (Path("panecho/config.pbtxt"), 'output_map { key: "logits"', 'output_map { key: "logit"'),
        (Path("panecho/config.pbtxt"), 'input_map { key: "logits"', 'input_map { key: "logit"'),
        (Path("backbone/config.pbtxt"), "max_queue_size: 16", "max_queue_size: 7"),
        (Path("backbone/configs/cpu.pbtxt"), "max_queue_size: 8", "max_queue_size: 7"),
        (Path("preprocessing/configs/gpu.pbtxt"), "count: 4", "count: 7"),
        (Path("image_encoder/config.pbtxt"), f"max_batch_size: {MAX_FRAMES}", "max_batch_size: 7"),
    ],
)
def test_an_edited_part_is_found(copy: Path, file: Path, old: str, new: str) -> None:
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    result = run_check(copy)
    assert result.returncode == 1
    assert f"{file}: differs from the task table" in result.stderr
    assert stale_files(copy) == [copy / file]


def test_command_renders_an_edited_part_again(copy: Path) -> None:
    path = copy / "backbone/config.pbtxt"
    path.write_text(path.read_text().replace("dims: [ 58 ]", "dims: [ 57 ]"))
    subprocess.run([sys.executable, "-m", "panecho_export.config_rendering", str(copy)], check=True)
    assert run_check(copy).returncode == 0


def test_what_is_written_by_hand_stays(copy: Path) -> None:
    path = copy / "backbone/config.pbtxt"
    path.write_text(path.read_text() + 'parameters { key: "INTRA_OP_THREAD_COUNT" value { string_value: "3" } }\n')
    files = rendered(copy)
    for rendered_path in (path, copy / "backbone/configs/cpu.pbtxt", copy / "backbone/configs/gpu.pbtxt"):
        assert files[rendered_path].endswith('INTRA_OP_THREAD_COUNT" value { string_value: "3" } }\n')


def test_missing_marks(copy: Path) -> None:
    path = copy / "backbone/config.pbtxt"
    path.write_text(path.read_text().replace("# end rendered: tensors\n", ""))
    with pytest.raises(ExportRepositoryError, match=r"backbone/config\.pbtxt: needs one part between"):
        stale_files(copy)


def test_missing_model(copy: Path) -> None:
    shutil.rmtree(copy / "postprocessing")
    with pytest.raises(ExportRepositoryError, match="no such file"):
        stale_files(copy)


def test_tasks_json_is_the_table() -> None:
    entries = json.loads((REPOSITORY / TASKS_JSON).read_text())
    assert [entry["key"] for entry in entries] == [task.key for task in TASKS]
    assert entries[0]["positive_class"] == "mild_mod_severe"


def test_models_are_the_folders() -> None:
    assert sorted(MODELS) == sorted(path.name for path in REPOSITORY.iterdir() if path.is_dir())


def test_adapters_are_thin() -> None:
    """At most about 100 lines, no algorithm in them."""
    for path in REPOSITORY.glob("*/1/model.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 100, path
        assert not re.search(r"\bfor .* in range|np\.(mean|exp|sum)", text), path


def test_a_few_tasks_and_their_widths(copy: Path) -> None:
    files = rendered(copy, ExportManifest(tasks=find_tasks(["EF", "AVStenosis"]), versions={}, clip_length=8))
    assert [task["key"] for task in json.loads(files[copy / TASKS_JSON])] == ["EF", "AVStenosis"]
    ensemble = files[copy / "panecho/config.pbtxt"]
    outputs = re.findall(r'name: "([^"]*)" data_type: TYPE_FP32 dims: \[ ([^]]*) \]', ensemble)
    assert dict(outputs) == {
        "EF": "1",
        "AVStenosis": "3",
        "video/EF": "-1, 1",
        "video/AVStenosis": "-1, 3",
        "embedding": "-1, 768",
        "clip_logits": "-1, 4",
    }
    assert "dims: [ 4 ]" in files[copy / "backbone/config.pbtxt"]
    assert files[copy / "backbone/config.pbtxt"].count("dims: [ 8, 224, 224, 3 ]") == 2
    assert "LVEDV" not in "".join(files.values())


def test_without_heads_nothing_speaks_of_logits(copy: Path) -> None:
    files = rendered(copy, ExportManifest(tasks=(), versions={}))
    assert json.loads(files[copy / TASKS_JSON]) == []
    assert not any(re.search(r'"(clip_)?logits"', text) for text in files.values())
    assert 'name: "clip_embedding"' in files[copy / "backbone/config.pbtxt"]


def test_only_the_models_of_a_variant_are_rendered(copy: Path) -> None:
    assert list(rendered(copy, models=["image_encoder"])) == [copy / "image_encoder/config.pbtxt"]
