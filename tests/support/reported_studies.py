"""Three invented studies for reports: normal, severe, and one that contradicts itself."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from panecho_client._description import Weights
from panecho_client._identity.headers import SopInstance
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import Prediction, StudyResult, VideoResult
from panecho_model.tasks import TASKS, Task
from support.invented_results import prediction

CINE = "1.2.840.10008.5.1.4.1.1.3.1"
UID = "1.2.826.0.1.3680043.8.498.18"
WEIGHTS = Weights(name="panecho.pt", sha256="ab" * 32, stand_in=False, licence="CC BY-NC-SA 4.0", notice=None)

NORMAL = {
    "EF": 61.3, "GLS": 20.4, "LVEDV": 101.2, "LVESV": 39.1, "LVSV": 62.5, "IVSd": 0.83, "LVPWd": 0.81, "LVIDs": 2.91,
    "LVIDd": 4.52, "LVOTDiam": 2.02, "E|EAvg": 6.8, "RVSP": 24.2, "RVIDd": 3.1, "TAPSE": 2.31, "RVSVel": 13.1,
    "LAIDs2D": 3.4, "LAVol": 44.7, "RADimensionM-L(cm)": 3.6, "AVPkVel(m|s)": 1.31, "TVPkGrad": 20.1, "AORoot": 3.2,
}  # fmt: skip
SEVERE = NORMAL | {
    "EF": 24.2, "GLS": 7.1, "LVEDV": 231.0, "LVESV": 172.3, "LVSV": 57.0, "LVIDs": 5.9, "LVIDd": 6.8, "E|EAvg": 18.9,
    "RVSP": 58.0, "TAPSE": 1.12, "RVSVel": 6.1, "LAVol": 118.0, "RADimensionM-L(cm)": 5.2, "AVPkVel(m|s)": 4.31,
    "TVPkGrad": 46.0, "IVSd": 1.41,
}  # fmt: skip
CONTRADICTORY = NORMAL | {"EF": 59.0, "LVEDV": 80.0, "LVESV": 62.0, "LVPWd": -0.5, "TVPkGrad": 44.0}

# The probable class of each classification; the others share the rest.
NORMAL_CLASSES = {"LVSystolicFunction": "Normal|Hyperdynamic", "LVDiastolicFunction": "Normal"}
SEVERE_CLASSES = {
    "LVSystolicFunction": "Moderately|Severely Decreased", "LVSize": "Moderately|Severely Increased",
    "LVWallMotionAbnormalities": "Present", "LVDiastolicFunction": "Moderate|Severe", "RVSystolicFunction": "Decreased",
    "LASize": "Moderately|Severely Dilated", "RASize": "Dilated", "AVStenosis": "Severe",
    "MVRegurgitation": "Moderate|Severe", "TVRegurgitation": "Mild", "RAP-8-or-higher": "1.0",
}  # fmt: skip
CONTRADICTORY_CLASSES = {"LVSystolicFunction": "Moderately|Severely Decreased", "AVStenosis": "Severe"}
NORMALS = ("Normal", "None", "None|Trace", "none_trace", "Normal|Hyperdynamic", "Normal or mildly increased", "0.0")


def classes(task: Task, chosen: Mapping[str, str], chance: np.random.Generator) -> list[float]:
    """Return what the model would report of a classification whose class is chosen, else normal."""
    name = chosen.get(task.key) or next(name for name in task.classes if name in NORMALS)
    probability = float(chance.uniform(0.75, 0.97))
    if task.kind == "binary":
        return [probability if name == task.positive_class else 1 - probability]
    rest = (1 - probability) / (len(task.classes) - 1)
    return [probability if other == name else rest for other in task.classes]


def make_study(
    values: Mapping[str, float],
    chosen: Mapping[str, str],
    *,
    videos: int = 4,
    undecided: str | None = None,
    frames: bool = True,
) -> StudyResult:
    """Return a study of so many videos, one of which is an outlier in EF, and one that was skipped."""
    chance = np.random.default_rng(18)
    made = [_video(number, values, chosen, chance, frames=frames) for number in range(videos)]
    predictions = {}
    for task in TASKS:
        of = classes(task, chosen, chance) if task.kind != "regression" else [values[task.key]]
        if task.key == undecided:
            of = [0.44, 0.48, 0.08] if task.kind == "multiclass" else [0.54]
        predictions[task.key] = prediction(task, of)
    skipped = VideoResult(path=Path("study/9.dcm"), status="SPECTRAL_DOPPLER: a trace over time", predictions={})
    return StudyResult(
        predictions=predictions,
        videos=(*made, skipped),
        weights=WEIGHTS,
        parameters={"num_clips": 4, "clip_length": 16, "frame_stride": 1},
    )


def _video(
    number: int, values: Mapping[str, float], chosen: Mapping[str, str], chance: np.random.Generator, *, frames: bool
) -> VideoResult:
    predictions: dict[str, Prediction] = {}
    for task in TASKS:
        if task.kind == "regression":
            factor = float(chance.normal(1, 0.04)) * (0.6 if number == 2 and task.key == "EF" else 1)
            predictions[task.key] = prediction(task, [values[task.key] * factor])
        else:
            predictions[task.key] = prediction(task, classes(task, chosen, chance))
    rows, columns = np.mgrid[0:224, 0:224]
    angle, radius = np.arctan2(columns - 112, rows + 1), np.hypot(columns - 112, rows)
    sector = (np.abs(angle) < 0.7) & (radius < 215)
    frame = np.where(sector, 60 + 40 * np.sin(radius / (9 + number)) + chance.normal(0, 18, (224, 224)), 0)
    key_frame = np.repeat(frame.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1) if frames else None
    note = "ok: 9 frames, fewer than the 16 of a clip: the last one is repeated" if number == 1 else "ok"
    return VideoResult(path=Path(f"study/{number}.dcm"), status=note, predictions=predictions, key_frame=key_frame)


def headers(study: StudyResult, **facts: str) -> list[SopInstance]:
    """Return the headers of its files: a patient of 61 with height and weight, unless facts say otherwise."""
    known = {
        "patient_id": "MRN-0815", "patient_name": "Doe^Jane^^Dr.", "patient_sex": "F", "patient_birth_date": "19650212",
        "study_date": "20260213", "study_time": "101500", "accession_number": "ACC-4711",
        "patient_size": "1.68", "patient_weight": "63",
    } | facts  # fmt: skip
    return [
        SopInstance(
            path=video.path,
            sop_instance_uid=f"{UID}.1.{number}",
            sop_class_uid=CINE,
            series_instance_uid=f"{UID}.1",
            study_instance_uid=UID,
            rows=600,
            columns=800,
            **known,
        )
        for number, video in enumerate(study.videos, start=1)
    ]


def reported(
    kind: str, *, identified: bool = False, frames: bool = True, **facts: str
) -> tuple[StudyResult, StudyIdentity]:
    """Return one of the three studies, ``normal``, ``severe`` or ``contradictory``, and its identity."""
    values, chosen, undecided = {
        "normal": (NORMAL, NORMAL_CLASSES, "AVRegurg"),
        "severe": (SEVERE, SEVERE_CLASSES, "LVWallThickness-increased-any"),
        "contradictory": (CONTRADICTORY, CONTRADICTORY_CLASSES, None),
    }[kind]
    study = make_study(values, chosen, undecided=undecided, frames=frames)
    return study, StudyIdentity.of(headers(study, **facts), include_identifiers=identified)
