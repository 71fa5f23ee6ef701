"""Results of invented studies, written by the functions that ``panecho predict --output`` writes with."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from panecho_client._description import Task as ClientTask
from panecho_client._description import Weights
from panecho_client._results import Prediction, StudyResult, VideoResult
from panecho_client.outputs import (
    LONG_COLUMNS,
    FileIdentity,
    StudyIdentity,
    append_csv,
    long_rows,
    wide_columns,
    wide_row,
)
from panecho_model.tasks import TASKS, Task

WEIGHTS = Weights(name="invented", sha256="ab" * 32, stand_in=False, licence=None, notice=None)
SKIPPED = "NOT_A_CINE: one frame"


def chosen(*keys: str) -> tuple[Task, ...]:
    known = {task.key: task for task in TASKS}
    return tuple(known[key] for key in keys)


def client_task(task: Task) -> ClientTask:
    return ClientTask(
        key=task.key,
        kind=task.kind,
        description=task.description,
        unit=task.unit,
        group=task.group,
        classes=task.classes,
        positive_class=task.positive_class,
        inverted=task.inverted,
        training_mean=task.training_mean,
    )


def prediction(task: Task, values: Sequence[float]) -> Prediction:
    """A prediction as the client reads it: a measurement, one probability, or one per class."""
    of = client_task(task)
    if task.kind == "regression":
        return Prediction(task=of, value=values[0], probabilities={}, label=None)
    if task.kind == "binary":
        value = values[0]
        other = next(name for name in task.classes if name != task.positive_class)
        probabilities = {task.positive_class or "": value, other: 1 - value}
    else:
        probabilities = dict(zip(task.classes, values, strict=True))
        value = max(values)
    return Prediction(
        task=of, value=value, probabilities=probabilities, label=max(probabilities, key=probabilities.__getitem__)
    )


def write_study(
    folder: Path,
    name: str,
    patient: str | None,
    videos: Mapping[str, Mapping[Task, Sequence[float]] | None],
    *,
    weights: Weights = WEIGHTS,
) -> None:
    """Add a study to the tables of a folder.

    Args:
        folder: Where the tables are.
        name: Of the study.
        patient: Of the study.
        videos: Predictions of each video, whose mean the study's is; None for one that was skipped.
        weights: Whose predictions these are.
    """
    used = [of for of in videos.values() if of is not None]
    study = StudyResult(
        predictions={
            task.key: prediction(task, [float(value) for value in np.mean([of[task] for of in used], axis=0)])
            for task in used[0]
        },
        videos=tuple(
            VideoResult(path=Path(video), status=SKIPPED, predictions={})
            if of is None
            else VideoResult(
                path=Path(video),
                status="ok",
                predictions={task.key: prediction(task, values) for task, values in of.items()},
            )
            for video, of in videos.items()
        ),
        weights=weights,
        parameters={},
    )
    files = tuple(
        FileIdentity(
            name=video,
            sop_instance_uid=None,
            sop_class_uid=None,
            series_instance_uid=None,
            study_instance_uid=None,
            rows=None,
            columns=None,
        )
        for video in videos
    )
    identity = StudyIdentity(
        study=name, study_instance_uid=None, patient=patient, identified=False, study_count=1, files=files
    )
    folder.mkdir(parents=True, exist_ok=True)
    append_csv(folder / "studies.csv", [wide_row(study, identity)], wide_columns(map(client_task, used[0])))
    append_csv(folder / "predictions.csv", long_rows(study, identity), LONG_COLUMNS)
