"""The videos of a PDF report: a column each, so that one is compared with the others row by row."""

import io
import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from panecho_client._results import StudyResult, VideoResult
from panecho_client.outputs.assessment import Assessment
from panecho_client.outputs.classified_values import Classified
from panecho_client.outputs.html import OUTLIER
from panecho_client.outputs.measured_values import Measured
from panecho_client.outputs.png import as_png
from panecho_client.outputs.prediction_text import format_percent
from panecho_client.outputs.task_facts import error_of, measurement_facts, rounded

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

__all__ = ["COLUMNS", "column_widths", "video_rows"]

COLUMNS = 6
"""Videos of a table."""

NAMES_WIDTH = 55  # millimetres
FRAME = 18  # millimetres

Text = Callable[[str, str], "Flowable"]
"""Makes a paragraph of a text and the name of a style."""


def column_widths(width: float) -> list[float]:
    """Return the widths of the columns of a table, in the unit of its width: names, then videos."""
    return [NAMES_WIDTH, *[(width - NAMES_WIDTH) / COLUMNS] * COLUMNS]


def video_rows(
    study: StudyResult,
    assessment: Assessment,
    videos: Sequence[tuple[VideoResult, str]],
    text: Text,
    *,
    key_frames: bool,
) -> list[list[Any]]:
    """Return the rows of a table of up to six videos; one of a single cell is the name of a part of the heart.

    Args:
        study: The study, with which videos are compared.
        assessment: Of the study: which tasks there are, in which order.
        videos: Videos with their names.
        text: Makes a paragraph.
        key_frames: Whether to show their key frames.
    """
    rows: list[list[Any]] = []
    if key_frames and any(video.key_frame is not None for video, _ in videos):
        rows.append(["", *(_frame(video) for video, _ in videos)])
    rows.append([text("Video", "soft"), *(text(name, "soft") for _, name in videos)])
    for values in (assessment.measured, assessment.classified):
        for group, members in groupby((value for value in values if value.task), key=lambda value: value.group):
            rows.append([text(group, "group")])
            for value in members:
                cells = (text(*_cell(value, study, video)) for video, _ in videos)
                rows.append([text(_name(value), "body"), *cells])
    return rows


def _frame(video: VideoResult) -> Any:  # noqa: ANN401 - reportlab has no types
    from reportlab.lib.units import mm  # noqa: PLC0415 - part of an extra
    from reportlab.platypus import Image  # noqa: PLC0415 - as above

    if video.key_frame is None:
        return ""
    return Image(io.BytesIO(as_png(video.key_frame)), FRAME * mm, FRAME * mm, hAlign="LEFT")


def _cell(value: Measured | Classified, study: StudyResult, video: VideoResult) -> tuple[str, str]:
    return _number(value, study, video) if isinstance(value, Measured) else _probability(value, video)


def _number(value: Measured, study: StudyResult, video: VideoResult) -> tuple[str, str]:
    """Return a video's measurement, and a style: marked if it is far from the study's."""
    task = value.task
    if task is None or task.key not in video.predictions:
        return "-", "soft"
    found = video[task.key].value
    if not math.isfinite(found):
        return "-", "soft"
    error = error_of(task)
    far = error is not None and abs(found - study[task.key].value) > OUTLIER * error
    return f"{rounded(task, found):.{measurement_facts(task).decimals}f}", "warn" if far else "body"


def _probability(value: Classified, video: VideoResult) -> tuple[str, str]:
    """Return the probability that a video gives the study's class, and a style: marked if it gives another class."""
    if value.label is None or value.key not in video.predictions:
        return "-", "soft"
    prediction = video[value.key]
    return format_percent(prediction.probabilities[value.label]), "body" if prediction.label == value.label else "warn"


def _name(value: Measured | Classified) -> str:
    if isinstance(value, Measured):
        return f"{value.name}, {value.unit}" if value.unit else value.name
    return value.sentence
