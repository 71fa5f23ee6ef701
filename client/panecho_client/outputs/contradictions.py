"""Predictions that cannot be, or that contradict each other: each head of the model is computed by itself."""

import math
from collections.abc import Iterator

from panecho_client._results import StudyResult
from panecho_client.outputs.task_facts import is_possible, measurement_facts, rounded

__all__ = ["find_contradictions"]

EF_POINTS = 10  # between EF and the EF of the volumes
STROKE = 0.3  # between the stroke volume and the difference of the volumes, of the larger one
LOW_EF, NORMAL_EF, SEVERE_EF = 41, 52, 30


def find_contradictions(study: StudyResult) -> Iterator[str]:
    """Return what is impossible or contradicts itself among a study's predictions, a sentence each."""
    yield from _impossible(study)
    yield from _volumes(study)
    yield from _function(study)
    yield from _valves(study)
    yield from _walls(study)


def _impossible(study: StudyResult) -> Iterator[str]:
    for prediction in study.predictions.values():
        task, value = prediction.task, prediction.value
        if task.kind != "regression":
            continue
        facts = measurement_facts(task)
        if not math.isfinite(value):
            yield f"{facts.name}: the model gave no number."
        elif not is_possible(task, value):
            yield f"{facts.name}: {rounded(task, value):g} {facts.unit}".rstrip() + " is impossible; do not use it."


def _volumes(study: StudyResult) -> Iterator[str]:
    ejection, end_diastolic, end_systolic, stroke = (_value(study, key) for key in ("EF", "LVEDV", "LVESV", "LVSV"))
    if end_systolic >= end_diastolic:
        yield f"LV end-systolic volume ({end_systolic:.0f} mL) is not below the end-diastolic ({end_diastolic:.0f} mL)."
    elif end_diastolic > 0:
        of_volumes = 100 * (end_diastolic - end_systolic) / end_diastolic
        if abs(of_volumes - ejection) > EF_POINTS:
            yield f"LV ejection fraction is {ejection:.0f} %, but the LV volumes give {of_volumes:.0f} %."
        difference = end_diastolic - end_systolic
        if abs(stroke - difference) > STROKE * max(stroke, difference):
            yield f"LV stroke volume is {stroke:.0f} mL, but the LV volumes differ by {difference:.0f} mL."
    systole, diastole = _value(study, "LVIDs"), _value(study, "LVIDd")
    if systole >= diastole:
        yield f"LV diameter in systole ({systole:.1f} cm) is not below that in diastole ({diastole:.1f} cm)."


def _function(study: StudyResult) -> Iterator[str]:
    ejection, label = _value(study, "EF"), _label(study, "LVSystolicFunction")
    words = {
        "Normal|Hyperdynamic": "normal",
        "Mildly Decreased": "mildly reduced",
        "Moderately|Severely Decreased": "moderately or severely reduced",
    }
    normal_but_low = label == "Normal|Hyperdynamic" and ejection < LOW_EF
    reduced_but_normal = label == "Moderately|Severely Decreased" and ejection >= NORMAL_EF
    mild_but_severe = label == "Mildly Decreased" and ejection < SEVERE_EF
    if label and (normal_but_low or reduced_but_normal or mild_but_severe):
        yield f"LV ejection fraction is {ejection:.0f} %, but LV systolic function is called {words[label]}."
    excursion = _value(study, "TAPSE")
    if _label(study, "RVSystolicFunction") == "Normal" and excursion < 1.3:
        yield f"TAPSE is {excursion:.1f} cm, but RV systolic function is called normal."


def _valves(study: StudyResult) -> Iterator[str]:
    velocity, stenosis = _value(study, "AVPkVel(m|s)"), _label(study, "AVStenosis")
    if stenosis == "Severe" and velocity < 3:
        yield f"Aortic stenosis is called severe, but the peak velocity is {velocity:.1f} m/s."
    if stenosis == "None" and velocity >= 3:
        yield f"Aortic valve peak velocity is {velocity:.1f} m/s, but no aortic stenosis is called."
    pressure, gradient = _value(study, "RVSP"), _value(study, "TVPkGrad")
    if gradient - pressure > 5:
        yield (
            f"Tricuspid regurgitation gradient ({gradient:.0f} mmHg) is above the RV systolic pressure "
            f"({pressure:.0f} mmHg), which includes it."
        )


def _walls(study: StudyResult) -> Iterator[str]:
    moderate = _label(study, "LVWallThickness-increased-modsev") == "Moderately|severely increased"
    if moderate and _label(study, "LVWallThickness-increased-any") == "Normal":
        yield "LV wall thickness is called moderately or severely increased, and at the same time normal."


def _value(study: StudyResult, key: str) -> float:
    return study.predictions[key].value if key in study.predictions else math.nan


def _label(study: StudyResult, key: str) -> str | None:
    return study.predictions[key].label if key in study.predictions else None
