"""Renders every task-shaped part of a model repository from the task table.

In a ``config.pbtxt`` such a part stands between ``# begin rendered: NAME`` and ``# end rendered: NAME``; what stands
outside is written by hand. ``tasks.json`` is rendered whole.

    python -m panecho_export.rendering model_repository            # write
    python -m panecho_export.rendering --check model_repository    # exit 1 and name what differs
"""

import argparse
import json
import re
import sys
from pathlib import Path

from panecho_export.constants import FEATURES, FRAME_SIZE, MAX_CLIPS, MAX_FRAMES
from panecho_export.errors import RepositoryError
from panecho_export.tasks import LOGITS_SIZE, TASKS
from panecho_export.weights import NO_WEIGHTS, Weights

TASKS_JSON = Path("postprocessing/1/tasks.json")
MODELS = ("panecho", "preprocessing", "backbone", "postprocessing", "image_encoder")


def _tensor(name: str, data_type: str, *dims: int) -> str:
    shape = ", ".join(str(dim) for dim in dims)
    return f'  {{ name: "{name}" data_type: {data_type} dims: [ {shape} ] }}'


def _block(keyword: str, tensors: list[str]) -> str:
    return f"{keyword} [\n" + ",\n".join(tensors) + "\n]"


def _parameter(key: str, value: str) -> str:
    return f'parameters {{ key: "{key}" value {{ string_value: {json.dumps(value)} }} }}'


def _study_outputs() -> list[str]:
    """Return the outputs of the ensemble, all of them postprocessing's.

    It hands through what earlier steps know (status, logits): Triton drops a step whose outputs nobody asks for, and
    with it what the step takes in, even where the caller wants just that.
    """
    study = [_tensor(task.key, "TYPE_FP32", task.size) for task in TASKS]
    video = [_tensor(f"video/{task.key}", "TYPE_FP32", -1, task.size) for task in TASKS]
    return [
        *study,
        *video,
        _tensor("embedding", "TYPE_FP32", -1, FEATURES),
        _tensor("video_status", "TYPE_STRING", -1),
        _tensor("clip_logits", "TYPE_FP32", -1, LOGITS_SIZE),
        _tensor("clip_video", "TYPE_INT32", -1),
    ]


def _ensemble_output_map() -> str:
    predictions = [*(task.key for task in TASKS), *(f"video/{task.key}" for task in TASKS)]
    names = [*predictions, "embedding", "video_status", "clip_logits", "clip_video"]
    return "\n".join(f'      output_map {{ key: "{name}" value: "{name}" }}' for name in names)


def _postprocessing_tensors() -> str:
    inputs = [
        _tensor("logits", "TYPE_FP32", -1, LOGITS_SIZE),
        _tensor("clip_embedding", "TYPE_FP32", -1, FEATURES),
        _tensor("clip_video", "TYPE_INT32", -1),
        _tensor("video_status", "TYPE_STRING", -1),
    ]
    return _block("input", inputs) + "\n" + _block("output", _study_outputs())


def _backbone_tensors() -> str:
    clips = _tensor("clips", "TYPE_UINT8", -1, FRAME_SIZE, FRAME_SIZE, 3)
    outputs = [_tensor("logits", "TYPE_FP32", LOGITS_SIZE), _tensor("clip_embedding", "TYPE_FP32", FEATURES)]
    return f"max_batch_size: {MAX_CLIPS}\n" + _block("input", [clips]) + "\n" + _block("output", outputs)


def _image_encoder_tensors() -> str:
    frames = _tensor("frames", "TYPE_UINT8", FRAME_SIZE, FRAME_SIZE, 3)
    output = _tensor("frame_embedding", "TYPE_FP32", FEATURES)
    return f"max_batch_size: {MAX_FRAMES}\n" + _block("input", [frames]) + "\n" + _block("output", [output])


def tasks_json() -> str:
    """Return the content of ``tasks.json``: a list of tasks in the order of ``logits``."""
    return json.dumps([task.describe() for task in TASKS], indent=1) + "\n"


def _parts(weights: Weights) -> dict[str, dict[str, str]]:
    """Return the rendered parts of each model's config.pbtxt by their names."""
    tasks = _parameter("tasks", json.dumps([task.describe() for task in TASKS]))
    identity = _parameter("weights", weights.to_json())
    return {
        "panecho": {
            "outputs": _block("output", _study_outputs()),
            "output_map": _ensemble_output_map(),
            "metadata": f"{tasks}\n{identity}",
        },
        "preprocessing": {"limits": _parameter("max_clips", str(MAX_CLIPS))},
        "backbone": {"tensors": _backbone_tensors()},
        "postprocessing": {"tensors": _postprocessing_tensors(), "metadata": identity},
        "image_encoder": {"tensors": _image_encoder_tensors(), "metadata": identity},
    }


def _replace_part(path: Path, text: str, name: str, content: str) -> str:
    begin, end = f"# begin rendered: {name}\n", f"# end rendered: {name}\n"
    pattern = re.compile(rf"({re.escape(begin)}).*?(^[ ]*{re.escape(end)})", re.DOTALL | re.MULTILINE)
    if len(pattern.findall(text)) != 1:
        raise RepositoryError(f"{path}: needs one part between '{begin.strip()}' and '{end.strip()}'.")
    return pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)


def rendered(repository: Path, weights: Weights = NO_WEIGHTS) -> dict[Path, str]:
    """Return what each file with a rendered part should hold.

    Raises:
        RepositoryError: A config.pbtxt is missing or lacks the marks of a rendered part.
    """
    files = {repository / TASKS_JSON: tasks_json()}
    for model, parts in _parts(weights).items():
        path = repository / model / "config.pbtxt"
        if not path.is_file():
            raise RepositoryError(f"{path}: no such file; is {repository} a copy of this project's model_repository?")
        text = path.read_text()
        for name, content in parts.items():
            text = _replace_part(path, text, name, content)
        files[path] = text
    return files


def stale_files(repository: Path, weights: Weights = NO_WEIGHTS) -> list[Path]:
    """Return the files that differ from what the task table renders."""
    files = rendered(repository, weights).items()
    return [path for path, text in files if not path.is_file() or path.read_text() != text]


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
    for path, text in rendered(arguments.repository).items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
