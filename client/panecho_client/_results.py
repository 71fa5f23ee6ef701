"""Results: predictions of a study and of its videos."""

import json
import math
from collections.abc import Iterator, KeysView, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from panecho_client._contract import OK, is_ok
from panecho_client._description import VERSION, Task, Weights
from panecho_client._exceptions import RequestError, UnknownTaskError
from panecho_client._result_views.prediction_rows import study_rows, video_rows
from panecho_client._result_views.result_html import study_html

if TYPE_CHECKING:
    from pandas import DataFrame

FloatArray: TypeAlias = NDArray[np.float32]

NOT_CLINICAL = "Not for clinical use."
STAND_IN = "stand-in weights: these numbers mean nothing clinically"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The prediction of one task.

    Example:
        >>> study["EF"].value, study["EF"].task.unit
        (58.3, '%')
        >>> study["AVStenosis"].label, study["AVStenosis"].probabilities
        ('None', {'Mild|Moderate': 0.08, 'None': 0.9, 'Severe': 0.02})

    Attributes:
        task: The task.
        value: Regression: the measurement in ``task.unit``. Binary: the probability of ``task.positive_class``.
            Multi-class: the probability of ``label``.
        probabilities: Probability of each class in released order; empty for regression.
        label: The most probable class; None for regression.
    """

    task: Task
    value: float
    probabilities: Mapping[str, float]
    label: str | None

    def __float__(self) -> float:
        """Return the value."""
        return self.value

    def __repr__(self) -> str:
        """Return task and value in short."""
        label = "" if self.label is None else f" {self.label!r}"
        return f"<{self.task.key}{label} {self.value:.3g}{f' {self.task.unit}' if self.task.unit else ''}>"

    def to_dict(self) -> dict[str, Any]:
        """Return value, label and probabilities, ready for JSON."""
        probabilities = {name: _finite(value) for name, value in self.probabilities.items()}
        return {"value": _finite(self.value), "label": self.label, "probabilities": probabilities}


class _ByTask:
    """A result as a mapping of its predictions by task."""

    predictions: Mapping[str, Prediction]

    def __contains__(self, key: object) -> bool:
        """Tell whether there is a prediction of this task."""
        return key in self.predictions

    def __iter__(self) -> Iterator[str]:
        """Return the names of the tasks."""
        return iter(self.predictions)

    def __len__(self) -> int:
        """Return the number of predictions."""
        return len(self.predictions)

    def __bool__(self) -> bool:
        """Return True: a result is one even without predictions."""
        return True

    def keys(self) -> KeysView[str]:
        """Return the names of the tasks; ``dict(result)`` holds the predictions."""
        return self.predictions.keys()


@dataclass(frozen=True, kw_only=True)
class VideoResult(_ByTask):
    """The predictions of one file.

    Example:
        >>> for video in study.videos:
        ...     print(video.path, video["EF"].value if video.ok else video.status)

    Attributes:
        path: The file.
        status: ``ok``, ``ok: what to know``, or ``CODE: what is wrong`` when the file was skipped.
        predictions: By task; empty when the file was skipped.
        embedding: Mean clip embedding, float32 [768]; None if not requested, or skipped.
        key_frame: The middle frame as the model sees it, uint8 [224, 224, 3], red first; None if not requested, or
            skipped. Text that a scanner burned into it may name the patient.
    """

    path: Path
    status: str
    predictions: Mapping[str, Prediction]
    embedding: FloatArray | None = field(default=None, repr=False, compare=False)
    key_frame: NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the file contributed to the study's predictions."""
        return is_ok(self.status)

    def __getitem__(self, key: str) -> Prediction:
        """Return the prediction of a task; UnknownTaskError (a KeyError) if there is none."""
        return _get(self.predictions, key, where=str(self.path) if self.ok else f"{self.path} ({self.status})")

    def to_dict(self, *, embedding: bool = False) -> dict[str, Any]:
        """Return everything, ready for JSON; the embedding on request."""
        values = {
            "path": str(self.path),
            "ok": self.ok,
            "status": self.status,
            "predictions": {key: prediction.to_dict() for key, prediction in self.predictions.items()},
        }
        if embedding:
            values["embedding"] = None if self.embedding is None else [_finite(x) for x in self.embedding.tolist()]
        return values


@dataclass(frozen=True, kw_only=True)
class StudyResult(_ByTask):
    """The predictions of a study.

    Example:
        >>> study = panecho.predict_study("study/")
        >>> study["EF"].value
        58.3
        >>> [video.path for video in study.skipped]
        []

    Attributes:
        predictions: By task: the mean of the videos' predictions.
        videos: One per file, in the order sent.
        weights: Whose weights the server ran.
        parameters: Request parameters, such as ``num_clips``.
    """

    predictions: Mapping[str, Prediction]
    videos: tuple[VideoResult, ...]
    weights: Weights
    parameters: Mapping[str, int | str]

    @property
    def skipped(self) -> tuple[VideoResult, ...]:
        """Files that could not be used."""
        return tuple(video for video in self.videos if not video.ok)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Notes to show next to the predictions, wherever they are shown."""
        return (NOT_CLINICAL, STAND_IN) if self.weights.stand_in else (NOT_CLINICAL,)

    def __getitem__(self, key: str) -> Prediction:
        """Return the prediction of a task; UnknownTaskError (a KeyError) if there is none."""
        return _get(self.predictions, key, where="this result")

    def __repr__(self) -> str:
        """Return numbers of predictions and files; paths may name a patient."""
        used = len(self.videos) - len(self.skipped)
        return f"<StudyResult: {len(self.predictions)} predictions from {used} of {len(self.videos)} files>"

    def _repr_html_(self) -> str:
        """Return measurements and classes as tables, for notebooks."""
        return study_html(self)

    def to_dataframe(self, *, videos: bool = False) -> "DataFrame":
        """Return a row per task and class, as the long table has them, with the spread over the videos.

        Example:
            >>> table = study.to_dataframe()
            >>> table.loc[table["predicted"].eq(True), ["task", "class", "value"]]

        Args:
            videos: Whether to add the rows of each video, named in the column ``video``, and one of each skipped file.

        Raises:
            RequestError: pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415 - the client does not need it otherwise
        except ModuleNotFoundError as error:
            raise RequestError(f"to_dataframe needs pandas: pip install pandas ({error}).") from None
        rows = [{"video": None, "status": OK} | row for row in study_rows(self)]
        for video in self.videos if videos else ():
            rows += [{"video": str(video.path), "status": video.status} | row for row in video_rows(self, video)]
        return pd.DataFrame(rows)

    def to_dict(self, *, embedding: bool = False) -> dict[str, Any]:
        """Return everything, ready for JSON (None instead of NaN); embeddings on request."""
        return {
            "warnings": list(self.warnings),
            "panecho_triton": VERSION,
            "weights": asdict(self.weights),
            "parameters": dict(self.parameters),
            "predictions": {key: _described(prediction) for key, prediction in self.predictions.items()},
            "videos": [video.to_dict(embedding=embedding) for video in self.videos],
        }

    def to_json(self, *, embedding: bool = False) -> str:
        """Return ``to_dict`` as JSON text."""
        return json.dumps(self.to_dict(embedding=embedding), indent=2, allow_nan=False)


def _get(predictions: Mapping[str, Prediction], key: str, *, where: str) -> Prediction:
    if key not in predictions:
        raise UnknownTaskError.of(key, predictions, where=where)
    return predictions[key]


def _described(prediction: Prediction) -> dict[str, Any]:
    task = prediction.task
    about = {
        "kind": task.kind,
        "description": task.description,
        "group": task.group,
        "unit": task.unit,
        "positive_class": task.positive_class,
        "classes": list(task.classes),
        "inverted": task.inverted,
        "training_mean": task.training_mean,
    }
    return about | prediction.to_dict()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
