"""Results as ``panecho predict --output`` stores them, read again for reports: nothing is predicted."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panecho_client._description import Task, parse_task, parse_weights
from panecho_client._exceptions import FilesError
from panecho_client._files.whole_files import accessing, write_whole
from panecho_client._identity.study_identity import FileIdentity, StudyIdentity
from panecho_client._results import Prediction, StudyResult, VideoResult
from panecho_client.outputs.png import as_png, read_png

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PREDICTION", "read_stored", "study_folders", "write_stored"]

PREDICTION = "prediction.json"
FRAMES = "key_frames"


def write_stored(folder: Path, study: StudyResult, identity: StudyIdentity, *, key_frames: bool = False) -> None:
    """Write a study's result, its names and, on request, its key frames, so that reports can be made again.

    Args:
        folder: Where to; ``prediction.json`` is written last.
        study: The study; its videos have the names of ``identity``.
        identity: Names of study and files.
        key_frames: Whether to keep the key frames, as ``key_frames/0001.png``.

    Raises:
        FilesError: It cannot be written.
        RequestError: Key frames without the extra ``reports``.
    """
    if key_frames:
        for number, video in enumerate(study.videos, start=1):
            if video.key_frame is not None:
                with accessing(folder):
                    (folder / FRAMES).mkdir(exist_ok=True)
                write_whole(folder / FRAMES / f"{number:04}.png", as_png(video.key_frame))
    content = {**study.to_dict(), "identity": asdict(identity)}
    write_whole(folder / PREDICTION, f"{json.dumps(content, indent=2, allow_nan=False)}\n".encode())


def read_stored(folder: Path) -> tuple[StudyResult, StudyIdentity]:
    """Read what ``write_stored`` wrote.

    Raises:
        FilesError: It cannot be read, or was written by an older version.
    """
    path = folder / PREDICTION
    with accessing(path, "read", "name a study's folder of panecho predict --output"):
        content = path.read_bytes()
    try:
        stored = json.loads(content)
        identity = _identity(stored["identity"])
        tasks = {key: parse_task({**entry, "key": key}) for key, entry in stored["predictions"].items()}
        study = StudyResult(
            predictions={key: _prediction(tasks[key], entry) for key, entry in stored["predictions"].items()},
            videos=tuple(_video(entry, tasks) for entry in stored["videos"]),
            weights=parse_weights(stored["weights"], stored["weights"]["manifest"]),
            parameters=stored["parameters"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FilesError(
            f"{path} does not hold what a report needs ({type(error).__name__}); predict the study again.",
            code="DATA_LOSS",
            paths=[path],
        ) from None
    return _with_frames(study, folder / FRAMES), identity


def study_folders(given: Path) -> list[Path]:
    """Return the folders of studies that a folder is or holds.

    Raises:
        FilesError: It holds none.
    """
    if (given / PREDICTION).is_file():
        return [given]
    found = sorted(path.parent for path in given.glob(f"studies/[!.]*/{PREDICTION}"))
    if not found:
        raise FilesError(f"{given} holds no results; name the --output of panecho predict.", paths=[given])
    return found


def _with_frames(study: StudyResult, folder: Path) -> StudyResult:
    frames: dict[int, NDArray[np.uint8]] = {}
    for number in range(len(study.videos)):
        path = folder / f"{number + 1:04}.png"
        if path.is_file():
            with accessing(path, "read", "predict the study again"):
                frames[number] = read_png(path.read_bytes())
    return replace(
        study,
        videos=tuple(replace(video, key_frame=frames.get(number)) for number, video in enumerate(study.videos)),
    )


def _identity(entry: Mapping[str, Any]) -> StudyIdentity:
    return StudyIdentity(**{**entry, "files": tuple(FileIdentity(**file) for file in entry["files"])})


def _prediction(task: Task, entry: Mapping[str, Any]) -> Prediction:
    return Prediction(
        task=task,
        value=_number(entry["value"]),
        probabilities={name: _number(value) for name, value in entry["probabilities"].items()},
        label=entry["label"],
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _video(entry: Mapping[str, Any], tasks: Mapping[str, Task]) -> VideoResult:
    return VideoResult(
        path=Path(entry["path"]),
        status=entry["status"],
        predictions={key: _prediction(tasks[key], of) for key, of in entry["predictions"].items()},
    )
