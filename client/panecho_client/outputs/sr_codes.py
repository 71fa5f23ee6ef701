"""Codes of the model's tasks in DICOM structured reports.

A task has a code of LOINC or SNOMED CT where DICOM lists one (PS3.16, annex D) that means just that measurement, by
whatever method, so that a machine that reads the code is not misled. The others, all classes and their probabilities
have codes of this project's own scheme, 99PANECHO: the task's name, and the task's and the class's with a colon
between.
"""

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from panecho_client._description import Task
from panecho_client._result_views.variables import class_label
from panecho_client.outputs.prediction_text import readable_class

__all__ = ["DOUBTS", "SCHEME", "class_code", "probability_code", "site_code", "task_code", "unit_code"]

SCHEME = "99PANECHO"
MEANING_LENGTH = 64  # PS3.5: what a code's meaning (LO) may hold

MEASUREMENTS = {
    "EF": Code("18043-0", "LN", "Left Ventricular Ejection Fraction by US"),
    "GLS": Code("GLS", SCHEME, "LV global longitudinal strain, negative"),
    "LVEDV": Code("18026-5", "LN", "Left Ventricular End Diastolic Volume"),
    "LVESV": Code("18148-7", "LN", "Left Ventricular End Systolic Volume"),
    "LVSV": Code("90096001", "SCT", "Stroke Volume"),
    "IVSd": Code("18154-5", "LN", "Interventricular Septum Diastolic Thickness"),
    "LVPWd": Code("18152-9", "LN", "Left Ventricle Posterior Wall Diastolic Thickness"),
    "LVIDs": Code("29438-9", "LN", "Left Ventricle Internal Systolic Dimension"),
    "LVIDd": Code("29436-3", "LN", "Left Ventricle Internal End Diastolic Dimension"),
    "E|EAvg": Code("59111-5", "LN", "E Velocity to Annulus E Velocity Ratio"),
    "RVIDd": Code("20304-2", "LN", "Right Ventricular Internal Diastolic Dimension"),
    "RVSP": Code("276772001", "SCT", "Right Ventricular Systolic Pressure"),
    "TAPSE": Code("77903-3", "LN", "Tricuspid Annular Plane Systolic Excursion (TAPSE)"),
    "AVPkVel(m|s)": Code("79964-3", "LN", "Aortic valve Vmax"),
    # PanEcho calls it the valve's, but the mean of its training labels, 26 mmHg, is that of regurgitation: a stenosis
    # of that gradient would be severe. See DOUBTS.
    "TVPkGrad": Code("79937-9", "LN", "Tricuspid regurgitation peak gradient"),
    "AORoot": Code("79953-6", "LN", "Aortic root diameter"),
}

DOUBTS = {
    "TVPkGrad": (
        "PanEcho calls this the tricuspid valve's peak gradient; the mean of its training labels, 26 mmHg, is that of "
        "the regurgitation, and so it is coded."
    ),
    "LVSV": "The code means stroke volume by any method; the model learned from reports, not from one method.",
    "RADimensionM-L(cm)": (
        "PanEcho calls this the RA major dimension and names it M-L, mediolateral; it has no standard code here."
    ),
}
"""What a reader of a code has to know."""

UNITS = {
    None: codes.UCUM.NoUnits,
    "%": codes.UCUM.Percent,
    "cm": codes.UCUM.Centimeter,
    "cm^3": Code("mL", "UCUM", "milliliter"),
    "cm/s": codes.UCUM.CentimeterPerSecond,
    "m/s": Code("m/s", "UCUM", "meter/second"),
    "mmHg": codes.UCUM.MillimetersHg,
}

SITES = {
    "Left ventricle": codes.SCT.LeftVentricle,
    "Right ventricle": codes.SCT.RightVentricle,
    "Atria": codes.SCT.Atrium,
    "Aortic valve": codes.SCT.AorticValve,
    "Mitral valve": codes.SCT.MitralValve,
    "Tricuspid valve": codes.SCT.TricuspidValve,
    "Aorta": codes.SCT.Aorta,
    "Pericardium": codes.SCT.Pericardium,
}


def task_code(task: Task) -> Code:
    """Return the code of what a task measures, or of the question to which its classes are the answers."""
    return MEASUREMENTS.get(task.key) or _own(task.key, task.description)


def unit_code(task: Task) -> Code:
    """Return the UCUM code of a measurement's unit; of one that is unknown here, UCUM's annotation ``{unit}``."""
    return UNITS.get(task.unit) or Code(f"{{{task.unit}}}", "UCUM", str(task.unit))


def site_code(group: str) -> Code | None:
    """Return the SNOMED CT code of a part of the heart, where it is known here."""
    return SITES.get(group)


def class_code(task: Task, name: str) -> Code:
    """Return the code of one class of a task."""
    return _own(class_label(task.key, name), readable_class(name))


def probability_code(task: Task, name: str) -> Code:
    """Return the code of a class's probability."""
    return _own(f"{class_label(task.key, name)}:P", f"P({readable_class(name)}): {task.description}")


def _own(value: str, meaning: str) -> Code:
    short = meaning if len(meaning) <= MEANING_LENGTH else f"{meaning[: MEANING_LENGTH - 3]}..."
    return Code(value, SCHEME, short)
