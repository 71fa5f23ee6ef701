"""What reports know of PanEcho's tasks: order, names, decimals, what is possible, and how good the model was.

A task that is not listed, as of a checkpoint of one's own, is shown by its own description.
"""

import math
from dataclasses import dataclass

from panecho_client._description import Task
from panecho_client.outputs.class_sentences import CLASSES

__all__ = [
    "GROUPS",
    "MARGIN",
    "PUBLISHED",
    "MeasurementFacts",
    "error_of",
    "error_text",
    "group_order",
    "is_possible",
    "measurement_facts",
    "rounded",
    "value_text",
]

GROUPS = (
    "Left ventricle",
    "Right ventricle",
    "Atria",
    "Aortic valve",
    "Mitral valve",
    "Tricuspid valve",
    "Aorta",
    "Pericardium",
)
"""Parts of the heart in the order of a laboratory's report."""

MARGIN = 0.15
"""Least difference between the two most probable classes; a smaller one is called undecided."""

PUBLISHED = (
    "Holste G, Oikonomou EK, Tokodi M, et al. Complete AI-Enabled Echocardiography Interpretation With Multitask Deep "
    "Learning. JAMA 2025;334:306-318. doi:10.1001/jama.2025.8731 (abstract; internal validation)."
)
"""Where the expected errors come from."""

NORMALISED_ERROR = 0.13  # median over the 21 measurements, of the mean
ERRORS = {"EF": 4.2}  # mean absolute error, in the task's unit
MEDIAN_AUROC = 0.91  # over the 18 classifications
AUROCS = {
    "LVSystolicFunction": (0.98, "for moderate or greater dysfunction"),
    "RVSystolicFunction": (0.93, ""),
    "AVStenosis": (0.98, "for severe stenosis"),
}


@dataclass(frozen=True, kw_only=True)
class MeasurementFacts:
    """How a measurement is shown.

    Attributes:
        name: In the words of a laboratory.
        unit: As shown, such as mL.
        decimals: What the model can know.
        sign: -1 where the model's number is the negative of the measurement.
        low: Least possible value, in the task's unit and with the model's sign.
        high: Largest possible value.
    """

    name: str
    unit: str
    decimals: int
    sign: int = 1
    low: float = 0.0
    high: float = math.inf


UNITS = {"cm^3": "mL"}
# Decimals, and the largest value that a heart can have, by unit.
BY_UNIT = {
    "%": (0, 100.0),
    "cm^3": (0, 1000.0),
    "cm": (1, 15.0),
    "mmHg": (0, 250.0),
    "cm/s": (1, 50.0),
    "m/s": (1, 9.0),
}

NAMES = {
    "EF": "LV ejection fraction",
    "GLS": "LV global longitudinal strain",
    "LVEDV": "LV end-diastolic volume",
    "LVESV": "LV end-systolic volume",
    "LVSV": "LV stroke volume",
    "IVSd": "Interventricular septum, diastole",
    "LVPWd": "LV posterior wall, diastole",
    "LVIDs": "LV internal diameter, systole",
    "LVIDd": "LV internal diameter, diastole",
    "LVOTDiam": "LV outflow tract diameter",
    "E|EAvg": "E/e' (average)",
    "RVSP": "RV systolic pressure",
    "RVIDd": "RV internal diameter, diastole",
    "TAPSE": "TAPSE",
    "RVSVel": "RV S'",
    "LAIDs2D": "LA diameter, systole",
    "LAVol": "LA volume",
    "RADimensionM-L(cm)": "RA minor axis (mediolateral)",
    "AVPkVel(m|s)": "Aortic valve peak velocity",
    "TVPkGrad": "Tricuspid regurgitation peak gradient",
    "AORoot": "Aortic root diameter",
}


def group_order(group: str) -> int:
    """Return the place of a part of the heart in a report; one that is not known comes last."""
    return GROUPS.index(group) if group in GROUPS else len(GROUPS)


def measurement_facts(task: Task) -> MeasurementFacts:
    """Return how a measurement is shown."""
    unit = task.unit or ""
    decimals, high = BY_UNIT.get(unit, (1, 100.0))
    if task.key == "GLS":
        return MeasurementFacts(name=NAMES["GLS"], unit="%", decimals=1, sign=-1, low=0.0, high=40.0)
    return MeasurementFacts(
        name=NAMES.get(task.key, task.description), unit=UNITS.get(unit, unit), decimals=decimals, high=high
    )


def is_possible(task: Task, value: float) -> bool:
    """Tell whether a heart can have this value, as the model gives it; NaN it cannot."""
    facts = measurement_facts(task)
    return facts.low < value <= facts.high


def rounded(task: Task, value: float) -> float:
    """Return a measurement with its sign and as many decimals as the model can know; NaN stays NaN."""
    facts = measurement_facts(task)
    return round(facts.sign * value, facts.decimals) + 0.0 if math.isfinite(value) else math.nan


def value_text(task: Task, value: float) -> str:
    """Return a rounded measurement with its unit, such as ``58 %``."""
    facts = measurement_facts(task)
    return f"{value:.{facts.decimals}f} {facts.unit}".rstrip() if math.isfinite(value) else "not a number"


def error_of(task: Task) -> float | None:
    """Return the mean absolute error to expect of a measurement, in its unit; None where nothing is known."""
    if task.key in ERRORS:
        return ERRORS[task.key]
    known = task.key in NAMES and task.training_mean is not None
    return NORMALISED_ERROR * abs(task.training_mean or 0) if known else None


def error_text(task: Task) -> str:
    """Return what to expect of a task's predictions, with what kind of number it is."""
    if task.kind != "regression":
        auroc, of = AUROCS.get(task.key, (MEDIAN_AUROC, "median of 18 tasks"))
        return f"AUROC {auroc:.2f}{f' ({of})' if of else ''}" if task.key in CLASSES else "not published"
    error = error_of(task)
    if error is None:
        return "not published"
    facts = measurement_facts(task)
    decimals = 1 if task.key in ERRORS else max(facts.decimals, 1 if error < 1 else 0)
    text = f"± {error:.{decimals}f} {facts.unit}".rstrip()
    return text if task.key in ERRORS else f"{text} (about {NORMALISED_ERROR:.0%})"
