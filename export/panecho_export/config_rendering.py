"""Renders every part of a model repository that depends on what is exported: tasks, clip length, weights.

In a ``config.pbtxt`` such a part stands between ``# begin rendered: NAME`` and ``# end rendered: NAME``; what stands
outside is written by hand. ``tasks.json`` is rendered whole, and so is ``configs/PROFILE.pbtxt``: config.pbtxt with the
serving settings of a profile.

    python -m panecho_export.config_rendering model_repository            # write
    python -m panecho_export.config_rendering --check model_repository    # exit 1 and name what differs
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from panecho_export.errors import ExportRepositoryError
from panecho_export.manifest import NOT_EXPORTED, ExportManifest
from panecho_export.serving_profiles import DEFAULT, PROFILES, Profile
from panecho_model.constants import FEATURES, FRAME_SIZE, MAX_CLIPS, MAX_FRAMES
from panecho_model.tasks import Task, logits_size

TASKS_JSON = Path("postprocessing/1/tasks.json")
LABELLED = ("panecho", "postprocessing")
MODELS = ("panecho", "preprocessing", "backbone", "postprocessing", "image_encoder")

Tasks = Sequence[Task]


def _tensor(name: str, data_type: str, *dims: int, labels: str = "") -> str:
    shape = ", ".join(str(dim) for dim in dims)
    label_file = f' label_filename: "{labels}"' if labels else ""
    return f'  {{ name: "{name}" data_type: {data_type} dims: [ {shape} ]{label_file} }}'


def _task_output(task: Task) -> str:
    """Return the study's output of a task, with its class names for Triton's classification extension."""
    return _tensor(task.key, "TYPE_FP32", task.size, labels=_label_file(task) if task.kind == "multiclass" else "")


def _label_file(task: Task) -> str:
    return f"labels/{task.key}.txt"


def _labels(repository: Path, tasks: Tasks, models: Iterable[str]) -> dict[Path, str]:
    """Return the files of class names, one name a line, of each model that answers with tasks."""
    return {
        repository / model / _label_file(task): "".join(f"{name}\n" for name in task.classes)
        for model in models
        if model in LABELLED
        for task in tasks
        if task.kind == "multiclass"
    }


def _block(keyword: str, entries: Iterable[str]) -> str:
    return f"{keyword} [\n" + ",\n".join(entries) + "\n]"


def _parameter(key: str, value: str) -> str:
    return f'parameters {{ key: "{key}" value {{ string_value: {json.dumps(value)} }} }}'


def _maps(keyword: str, names: Iterable[str]) -> str:
    return "\n".join(f'      {keyword} {{ key: "{name}" value: "{name}" }}' for name in names)


def _study_outputs(tasks: Tasks) -> dict[str, str]:
    """Return the outputs of postprocessing by name.

    It hands through what earlier steps know (status, logits): Triton drops a step whose outputs nobody asks for, and
    with it what the step takes in, even where the caller wants just that.
    """
    tensors = {task.key: _task_output(task) for task in tasks}
    tensors |= {f"video/{task.key}": _tensor(f"video/{task.key}", "TYPE_FP32", -1, task.size) for task in tasks}
    tensors["embedding"] = _tensor("embedding", "TYPE_FP32", -1, FEATURES)
    tensors["video_status"] = _tensor("video_status", "TYPE_STRING", -1)
    if tasks:
        tensors["clip_logits"] = _tensor("clip_logits", "TYPE_FP32", -1, logits_size(tasks))
    tensors["clip_video"] = _tensor("clip_video", "TYPE_INT32", -1)
    return tensors


def _ensemble_outputs(tasks: Tasks) -> dict[str, str]:
    """Return the outputs of the ensemble by name: postprocessing's, and those that preprocessing alone knows."""
    return _study_outputs(tasks) | {
        "key_frame": _tensor("key_frame", "TYPE_UINT8", -1, FRAME_SIZE, FRAME_SIZE, 3),
        "video_digest": _tensor("video_digest", "TYPE_STRING", -1),
    }


def _clip_outputs(tasks: Tasks) -> dict[str, int]:
    """Return the outputs of the backbone, in its order, and their widths."""
    heads = {"logits": logits_size(tasks)} if tasks else {}
    return heads | {"clip_embedding": FEATURES}


def _postprocessing_tensors(tasks: Tasks) -> str:
    inputs = [
        *(_tensor(name, "TYPE_FP32", -1, width) for name, width in _clip_outputs(tasks).items()),
        _tensor("clip_video", "TYPE_INT32", -1),
        _tensor("video_status", "TYPE_STRING", -1),
    ]
    return _block("input", inputs) + "\n" + _block("output", _study_outputs(tasks).values())


def _backbone_tensors(tasks: Tasks) -> str:
    clips = _tensor("clips", "TYPE_UINT8", -1, FRAME_SIZE, FRAME_SIZE, 3)
    outputs = [_tensor(name, "TYPE_FP32", width) for name, width in _clip_outputs(tasks).items()]
    return f"max_batch_size: {MAX_CLIPS}\n" + _block("input", [clips]) + "\n" + _block("output", outputs)


def _warm_up(name: str, *, clips: int, count: int, clip_length: int) -> str:
    shape = f"dims: [ {clip_length}, {FRAME_SIZE}, {FRAME_SIZE}, 3 ]"
    return (
        f'  {{\n    name: "{name}"\n    batch_size: {clips}\n    count: {count}\n'
        f'    inputs {{ key: "clips" value {{ data_type: TYPE_UINT8 {shape} random_data: true }} }}\n  }}'
    )


def _backbone_warm_up(clip_length: int) -> str:
    """Return warm-up requests: TorchScript optimises at the first two calls of each shape."""
    one_clip = _warm_up("one clip", clips=1, count=2, clip_length=clip_length)
    return _block("model_warmup", [one_clip, _warm_up("one video", clips=4, count=1, clip_length=clip_length)])


def _image_encoder_tensors() -> str:
    frames = _tensor("frames", "TYPE_UINT8", FRAME_SIZE, FRAME_SIZE, 3)
    output = _tensor("frame_embedding", "TYPE_FP32", FEATURES)
    return f"max_batch_size: {MAX_FRAMES}\n" + _block("input", [frames]) + "\n" + _block("output", [output])


def tasks_json(tasks: Tasks) -> str:
    """Return the content of ``tasks.json``: a list of tasks in the order of ``logits``."""
    return json.dumps([task.describe() for task in tasks], indent=1) + "\n"


def _parts(manifest: ExportManifest) -> dict[str, dict[str, str]]:
    """Return the rendered parts of each model's config.pbtxt by their names."""
    tasks = manifest.tasks
    description = _parameter("tasks", json.dumps([task.describe() for task in tasks]))
    identity = _parameter("weights", manifest.weights.to_json())
    export = _parameter("manifest", manifest.to_json())
    return {
        "panecho": {
            "outputs": _block("output", _ensemble_outputs(tasks).values()),
            "backbone_outputs": _maps("output_map", _clip_outputs(tasks)),
            "clip_inputs": _maps("input_map", _clip_outputs(tasks)),
            "output_map": _maps("output_map", _study_outputs(tasks)),
            "metadata": f"{description}\n{identity}\n{export}",
        },
        "preprocessing": {
            "limits": _parameter("max_clips", str(MAX_CLIPS)),
            "defaults": _parameter("clip_length", str(manifest.clip_length)),
        },
        "backbone": {"tensors": _backbone_tensors(tasks), "warm_up": _backbone_warm_up(manifest.clip_length)},
        "postprocessing": {"tensors": _postprocessing_tensors(tasks), "metadata": export},
        "image_encoder": {"tensors": _image_encoder_tensors(), "metadata": identity},
    }


def _replace_part(path: Path, text: str, name: str, content: str) -> str:
    begin, end = f"# begin rendered: {name}\n", f"# end rendered: {name}\n"
    pattern = re.compile(rf"({re.escape(begin)}).*?(^[ ]*{re.escape(end)})", re.DOTALL | re.MULTILINE)
    if len(pattern.findall(text)) != 1:
        raise ExportRepositoryError(f"{path}: needs one part between '{begin.strip()}' and '{end.strip()}'.")
    return pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)


def rendered(
    repository: Path,
    manifest: ExportManifest = NOT_EXPORTED,
    models: Sequence[str] = MODELS,
    profiles: Mapping[str, Profile] = PROFILES,
) -> dict[Path, str]:
    """Return what each file with a rendered part should hold.

    Args:
        repository: Its config.pbtxt files give what is written by hand.
        manifest: What is served.
        models: Models of the repository.
        profiles: Serving settings that ``tritonserver --model-config-name`` can choose.

    Raises:
        RepositoryError: A config.pbtxt is missing or lacks the marks of a rendered part.
    """
    parts_of = _parts(manifest)
    files = {repository / TASKS_JSON: tasks_json(manifest.tasks)} if "postprocessing" in models else {}
    files |= _labels(repository, manifest.tasks, models)
    for model in models:
        files |= _configurations(repository / model, parts_of[model], profiles)
    return files


def _configurations(model: Path, parts: dict[str, str], profiles: Mapping[str, Profile]) -> dict[Path, str]:
    """Return a model's config.pbtxt, and that of each profile which serves it in another way."""
    path = model / "config.pbtxt"
    if not path.is_file():
        raise ExportRepositoryError(
            f"{path}: no such file; is {model.parent} a copy of this project's model_repository?"
        )
    text = path.read_text()
    for name, content in parts.items():
        text = _replace_part(path, text, name, content)
    serving = {path: DEFAULT.get(model.name)}
    serving |= {model / f"configs/{name}.pbtxt": profile.get(model.name) for name, profile in profiles.items()}
    return {path: text} | {
        target: _replace_part(path, text, "serving", settings.to_pbtxt())
        for target, settings in serving.items()
        if settings
    }


def stale_files(
    repository: Path, manifest: ExportManifest = NOT_EXPORTED, models: Sequence[str] = MODELS
) -> list[Path]:
    """Return the files that differ from what is rendered of the task table and the manifest."""
    files = rendered(repository, manifest, models).items()
    return [path for path, text in files if not path.is_file() or path.read_text() != text]


def write(files: Mapping[Path, str]) -> None:
    """Write what ``rendered`` returns."""
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def main() -> int:
    """Write or check the rendered parts of a repository; return the exit status."""
    parser = argparse.ArgumentParser(description="Render the task-shaped parts of a model repository.")
    parser.add_argument("repository", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file differs")
    arguments = parser.parse_args()
    stale = stale_files(arguments.repository)
    for path in stale:
        sys.stderr.write(f"{path}: {'differs from the task table' if arguments.check else 'written'}\n")
    if arguments.check:
        return 1 if stale else 0
    write(rendered(arguments.repository))
    return 0


if __name__ == "__main__":
    sys.exit(main())
