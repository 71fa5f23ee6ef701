"""A study as one HTML file: what is abnormal, values against ranges, classes, each video with its key frame, origin."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import Any

from panecho_client._description import VERSION
from panecho_client._identity.optional_packages import needs_reports_extra
from panecho_client._identity.study_identity import FileIdentity, StudyIdentity
from panecho_client._results import StudyResult, VideoResult
from panecho_client.outputs.assessment import assess
from panecho_client.outputs.charts import Chart, Dot, chart_of_values, probability_dots
from panecho_client.outputs.class_sentences import sentence
from panecho_client.outputs.classified_values import Classified
from panecho_client.outputs.measured_values import Measured
from panecho_client.outputs.png import as_png
from panecho_client.outputs.prediction_text import format_percent, readable_class
from panecho_client.outputs.readable_names import readable_about
from panecho_client.outputs.reference_ranges import GUIDELINES, RangeSource, RangeTable
from panecho_client.outputs.task_facts import MARGIN, PUBLISHED, error_of, measurement_facts, rounded, value_text

__all__ = ["render_html"]

TEMPLATE = "report.html.jinja"
SEXES = {"F": "women", "M": "men", None: "adults"}
OUTLIER = 2  # expected errors from the study's value


def render_html(
    study: StudyResult, identity: StudyIdentity, *, key_frames: bool = False, ranges: RangeTable = GUIDELINES
) -> str:
    """Return the study as an HTML page that needs no other file, no network and no script.

    Example:
        >>> Path("report.html").write_text(render_html(study, identify(study)), encoding="utf-8")

    Args:
        study: The study.
        identity: Names of the study and its files.
        key_frames: Whether to show the key frames that the study holds; ask for them with ``predict_study``. Text that
            a scanner burned into them is visible and may name the patient.
        ranges: Reference ranges; see ``load_ranges``.

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    with needs_reports_extra():
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - part of an extra
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    sources: dict[RangeSource, int] = {}
    assessment = assess(study, identity, ranges)
    return template.render(
        study=study,
        identity=identity,
        version=VERSION,
        about=readable_about(study, identity),
        assessment=assessment,
        margin=f"{MARGIN:.0%}",
        published=PUBLISHED,
        measured=_by_group([_row(value, study, identity, sources) for value in assessment.measured]),
        classified=_by_group([_bars(value, study, identity) for value in assessment.classified]),
        videos=[
            _video(video, file, study, key_frame=key_frames)
            for video, file in zip(study.videos, identity.files, strict=True)
        ],
        sources=sources,
    )


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A reference range as it is shown."""

    sex: str
    text: str
    note: str
    number: int


@dataclass(frozen=True, kw_only=True)
class MeasurementRow:
    """A measurement as it is shown."""

    of: Measured
    group: str
    references: tuple[Reference, ...]
    chart: Chart | None


@dataclass(frozen=True, kw_only=True)
class Bar:
    """The probability of a class as it is shown."""

    name: str
    percent: float
    text: str
    likely: bool
    dots: tuple[Dot, ...]


@dataclass(frozen=True, kw_only=True)
class ClassificationRow:
    """A classification as it is shown."""

    of: Classified
    group: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True)
class VideoValue:
    """A prediction of one video as it is shown."""

    name: str
    text: str
    outlier: bool


@dataclass(frozen=True, kw_only=True)
class VideoBlock:
    """A video as it is shown."""

    name: str
    status: str
    used: bool
    frame: str | None
    note: str
    measured: tuple[VideoValue, ...]
    classified: tuple[VideoValue, ...]

    @property
    def outliers(self) -> int:
        """Number of values far from the study's."""
        return sum(value.outlier for value in self.measured)


def _by_group(rows: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    return [(group, list(members)) for group, members in groupby(rows, key=lambda row: str(row.group))]


def _row(
    value: Measured, study: StudyResult, identity: StudyIdentity, sources: dict[RangeSource, int]
) -> MeasurementRow:
    of_videos = {}
    if value.task is not None:
        of_videos = {
            file.name: rounded(value.task, video[value.key].value)
            for video, file in zip(study.videos, identity.files, strict=True)
            if video.ok
        }
    references = tuple(
        Reference(
            sex=SEXES[normal.sex],
            text=normal.text,
            note=normal.note,
            number=sources.setdefault(normal.source, len(sources) + 1),
        )
        for normal in value.ranges
    )
    return MeasurementRow(
        of=value,
        group=value.group,
        references=references,
        chart=chart_of_values(value.value, of_videos, value.ranges),
    )


def _bars(value: Classified, study: StudyResult, identity: StudyIdentity) -> ClassificationRow:
    names = [file.name for file in identity.files]
    return ClassificationRow(
        of=value,
        group=value.group,
        bars=tuple(
            Bar(
                name=readable_class(name),
                percent=round(100 * probability, 2) if math.isfinite(probability) else 0,
                text=format_percent(probability),
                likely=name == value.label,
                dots=probability_dots(study, names, value.key, name),
            )
            for name, probability in value.probabilities
        ),
    )


def _video(video: VideoResult, file: FileIdentity, study: StudyResult, *, key_frame: bool) -> VideoBlock:
    shown = video.key_frame if key_frame else None
    return VideoBlock(
        name=file.name,
        status=video.status,
        used=video.ok,
        frame=None if shown is None else base64.b64encode(as_png(shown)).decode(),
        note=video.status.partition(": ")[2] if video.ok else "",
        measured=tuple(_video_values(video, study)),
        classified=tuple(
            VideoValue(
                name=prediction.task.description,
                text=f"{sentence(prediction.task, prediction.label)} ({_of_label(video, key)})",
                outlier=False,
            )
            for key, prediction in video.predictions.items()
            if prediction.label is not None
        ),
    )


def _of_label(video: VideoResult, key: str) -> str:
    prediction = video[key]
    return format_percent(prediction.probabilities[prediction.label or ""])


def _video_values(video: VideoResult, study: StudyResult) -> list[VideoValue]:
    values = []
    for key, prediction in video.predictions.items():
        if prediction.task.kind == "regression":
            task, value = prediction.task, rounded(prediction.task, prediction.value)
            error, far = error_of(task), abs(prediction.value - study[key].value)
            values.append(
                VideoValue(
                    name=measurement_facts(task).name,
                    text=value_text(task, value),
                    outlier=error is not None and far > OUTLIER * error,
                )
            )
    return values
