"""A study as one HTML file: values against reference ranges, probabilities as bars, key frames, files, origin."""

import base64
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from panecho_client._description import VERSION, Task
from panecho_client._identity.optional_packages import needs_reports_extra
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import Prediction, StudyResult
from panecho_client.outputs.charts import Chart, Dot, chart_of_values, probability_dots
from panecho_client.outputs.png import as_png
from panecho_client.outputs.prediction_text import CLASSES, format_percent, format_prediction
from panecho_client.outputs.reference_ranges import RangeSource, ReferenceRange, reference_ranges, why_no_range

__all__ = ["render_html"]

TEMPLATE = "report.html.jinja"
SEXES = {"F": "women", "M": "men", None: "adults"}


def render_html(study: StudyResult, identity: StudyIdentity, *, key_frames: bool = False) -> str:
    """Return the study as an HTML page that needs no other file, no network and no script.

    Example:
        >>> Path("report.html").write_text(render_html(study, identify(study)), encoding="utf-8")

    Args:
        study: The study.
        identity: Names of the study and its files.
        key_frames: Whether to show the key frames that the study holds; ask for them with ``predict_study``. Text that
            a scanner burned into them is visible and may name the patient.

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    with needs_reports_extra():
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - part of an extra
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    sources: dict[RangeSource, int] = {}
    return template.render(
        study=study,
        identity=identity,
        version=VERSION,
        about=_about(study, identity),
        groups=_groups(study, identity, sources),
        frames=_frames(study, identity) if key_frames else [],
        files=list(zip(study.videos, identity.files, strict=True)),
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
class Measured:
    """A measurement as it is shown."""

    task: Task
    value: str
    references: tuple[Reference, ...]
    without: str | None
    verdict: str
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
class Classified:
    """A classification as it is shown."""

    task: Task
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True)
class Group:
    """A part of the heart."""

    name: str
    measured: tuple[Measured, ...]
    classified: tuple[Classified, ...]


def _groups(study: StudyResult, identity: StudyIdentity, sources: dict[RangeSource, int]) -> list[Group]:
    parts: defaultdict[str, list[Prediction]] = defaultdict(list)
    for prediction in study.predictions.values():
        parts[prediction.task.group].append(prediction)
    return [
        Group(
            name=name,
            measured=tuple(
                _measured(prediction, study, identity, sources)
                for prediction in predictions
                if prediction.task.kind == "regression"
            ),
            classified=tuple(
                _classified(prediction, study, identity)
                for prediction in predictions
                if prediction.task.kind != "regression"
            ),
        )
        for name, predictions in parts.items()
    ]


def _measured(
    prediction: Prediction, study: StudyResult, identity: StudyIdentity, sources: dict[RangeSource, int]
) -> Measured:
    task = prediction.task
    ranges = reference_ranges(task.key, sex=identity.patient_sex)
    values = {
        file.name: video[task.key].value for video, file in zip(study.videos, identity.files, strict=True) if video.ok
    }
    ((value, _),) = format_prediction(prediction)
    return Measured(
        task=task,
        value=value,
        references=tuple(_reference(normal, sources) for normal in ranges),
        without=None if ranges else why_no_range(task.key),
        verdict=_verdict(prediction.value, ranges),
        chart=chart_of_values(prediction.value, values, ranges),
    )


def _reference(normal: ReferenceRange, sources: dict[RangeSource, int]) -> Reference:
    number = sources.setdefault(normal.source, len(sources) + 1)
    return Reference(sex=SEXES[normal.sex], text=normal.text, note=normal.note, number=number)


def _verdict(value: float, ranges: Sequence[ReferenceRange]) -> str:
    """Return where a value lies, in one word or two."""
    if not ranges or not math.isfinite(value):
        return ""
    places = {_place(value, normal) for normal in ranges}
    return places.pop() if len(places) == 1 else "depends on sex"


def _place(value: float, normal: ReferenceRange) -> str:
    if normal.contains(value):
        return "within"
    return "below" if normal.low is not None and value < normal.low else "above"


def _classified(prediction: Prediction, study: StudyResult, identity: StudyIdentity) -> Classified:
    task = prediction.task
    names = [file.name for file in identity.files]
    bars = []
    for name, probability in prediction.probabilities.items():
        bars.append(
            Bar(
                name=_readable(name),
                percent=round(100 * probability, 2) if math.isfinite(probability) else 0,
                text=format_percent(probability),
                likely=name == prediction.label,
                dots=probability_dots(study, names, task.key, name),
            )
        )
    return Classified(task=task, bars=tuple(bars))


def _readable(name: str) -> str:
    return CLASSES.get(name, name).replace("|", " / ").replace("_", " ")


def _frames(study: StudyResult, identity: StudyIdentity) -> list[dict[str, str]]:
    return [
        {"name": file.name, "data": base64.b64encode(as_png(video.key_frame)).decode()}
        for video, file in zip(study.videos, identity.files, strict=True)
        if video.key_frame is not None
    ]


def _about(study: StudyResult, identity: StudyIdentity) -> dict[str, Any]:
    """Return what stands at the head of the report; what is not known is left out."""
    used = len(study.videos) - len(study.skipped)
    about = {
        "Study": identity.study,
        "Patient": identity.patient,
        "Name": identity.patient_name,
        "Born": identity.patient_birth_date,
        "Sex": {"F": "female", "M": "male"}.get(identity.patient_sex or "", "not known"),
        "Study date": identity.study_date,
        "Accession number": identity.accession_number,
        "Files": f"{used} of {len(study.videos)} used",
        "Weights": study.weights.name,
        "Software": f"panecho-triton {VERSION}",
    }
    return {name: value for name, value in about.items() if value}
