"""The 40 heads of the released PanEcho model: the one source of every task fact in this repository.

``tasks.json``, every task-shaped part of a ``config.pbtxt`` and what a client shows are rendered from ``TASKS``.
Keys, class orders, units and descriptions are those of the release (Holste et al., JAMA 2025), which holds 40 heads;
the paper counts 39 tasks.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from panecho_model.errors import TaskError

Kind = Literal["regression", "binary", "multiclass"]

LEFT_VENTRICLE = "Left ventricle"
RIGHT_VENTRICLE = "Right ventricle"
ATRIA = "Atria"
AORTIC_VALVE = "Aortic valve"
MITRAL_VALVE = "Mitral valve"
TRICUSPID_VALVE = "Tricuspid valve"
AORTA = "Aorta"
PERICARDIUM = "Pericardium"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One head of the model.

    Attributes:
        key: PanEcho's name of the task: the tensor's name on the wire.
        kind: What the head computes, and so how it is activated.
        group: Part of the heart, for reports.
        description: What the number means.
        unit: Unit of a regression head's output; None for a ratio and for classes.
        classes: Class names in released order; for a binary head, the two labels 0 and 1; empty for regression.
        inverted: Whether a binary head's probability is reported as 1 - sigmoid.
        training_mean: Mean of the training labels: the released bias of a regression head before training.
        training_deviation: Their standard deviation, where it is known: not of the released tasks.
    """

    key: str
    kind: Kind
    group: str
    description: str
    unit: str | None = None
    classes: tuple[str, ...] = ()
    inverted: bool = False
    training_mean: float | None = None
    training_deviation: float | None = None

    @property
    def size(self) -> int:
        """Numbers that the head computes: the classes of a multi-class task, else 1."""
        return len(self.classes) if self.kind == "multiclass" else 1

    @property
    def positive_class(self) -> str | None:
        """Class whose probability a binary task reports."""
        return self.classes[0 if self.inverted else 1] if self.kind == "binary" else None

    def describe(self) -> dict[str, object]:
        """Return the task as it stands in ``tasks.json`` and in the model's metadata."""
        described = asdict(self) | {"classes": list(self.classes), "positive_class": self.positive_class}
        if self.training_deviation is None:
            del described["training_deviation"]
        return described


def _regression(key: str, group: str, description: str, unit: str | None, training_mean: float) -> Task:
    return Task(
        key=key, kind="regression", group=group, description=description, unit=unit, training_mean=training_mean
    )


def _binary(key: str, group: str, description: str, classes: tuple[str, str], *, inverted: bool) -> Task:
    return Task(key=key, kind="binary", group=group, description=description, classes=classes, inverted=inverted)


def _multiclass(key: str, group: str, description: str, classes: tuple[str, str, str]) -> Task:
    return Task(key=key, kind="multiclass", group=group, description=description, classes=classes)


TASKS: tuple[Task, ...] = (
    _binary(
        "pericardial-effusion", PERICARDIUM, "Pericardial effusion", ("mild_mod_severe", "none_trace"), inverted=True
    ),
    _regression("EF", LEFT_VENTRICLE, "Left ventricular (LV) ejection fraction", "%", 59.002175258801685),
    _regression(
        "GLS",
        LEFT_VENTRICLE,
        "Global longitudinal strain. Actual value is -1 times the model output",
        "%",
        18.556993691537958,
    ),
    _regression("LVEDV", LEFT_VENTRICLE, "LV end-diastolic volume", "cm^3", 115.5111406156421),
    _regression("LVESV", LEFT_VENTRICLE, "LV end-systolic volume", "cm^3", 49.583417494769854),
    _regression("LVSV", LEFT_VENTRICLE, "LV stroke volume", "cm^3", 65.83874621632124),
    _multiclass("LVSize", LEFT_VENTRICLE, "LV size", ("Mildly Increased", "Moderately|Severely Increased", "Normal")),
    _binary(
        "LVWallThickness-increased-any",
        LEFT_VENTRICLE,
        "Any level of LV hypertrophy (increased wall thickness)",
        ("Increased", "Normal"),
        inverted=True,
    ),
    _binary(
        "LVWallThickness-increased-modsev",
        LEFT_VENTRICLE,
        "Moderate or greater LV hypertrophy (increased wall thickness)",
        ("Moderately|severely increased", "Normal or mildly increased"),
        inverted=True,
    ),
    _multiclass(
        "LVSystolicFunction",
        LEFT_VENTRICLE,
        "LV systolic function",
        ("Mildly Decreased", "Moderately|Severely Decreased", "Normal|Hyperdynamic"),
    ),
    _binary(
        "LVWallMotionAbnormalities", LEFT_VENTRICLE, "LV wall motion abnormalities", ("None", "Present"), inverted=False
    ),
    _regression("IVSd", LEFT_VENTRICLE, "LV intraventricular septum thickness at diastole", "cm", 1.0687505374363675),
    _regression("LVPWd", LEFT_VENTRICLE, "LV posterior wall thickness at diastole", "cm", 1.0329714537357577),
    _regression("LVIDs", LEFT_VENTRICLE, "LV internal diameter at systole", "cm", 3.1036937225490657),
    _regression("LVIDd", LEFT_VENTRICLE, "LV internal diameter at diastole", "cm", 4.662377451202295),
    _regression("LVOTDiam", LEFT_VENTRICLE, "LV outflow tract diameter", "cm", 2.0567495134373415),
    _multiclass(
        "LVDiastolicFunction",
        LEFT_VENTRICLE,
        "LV diastolic function",
        ("Mild|Indeterminate", "Moderate|Severe", "Normal"),
    ),
    _regression("E|EAvg", LEFT_VENTRICLE, "E/e' ratio", None, 10.804208154645387),
    _regression("RVSP", RIGHT_VENTRICLE, "Right ventricular (RV) systolic pressure", "mmHg", 30.469686248382423),
    _multiclass("RVSize", RIGHT_VENTRICLE, "RV size", ("Mildly Increased", "Moderately|Severely Increased", "Normal")),
    _binary("RVSystolicFunction", RIGHT_VENTRICLE, "RV systolic function", ("Decreased", "Normal"), inverted=True),
    _regression("RVIDd", RIGHT_VENTRICLE, "RV internal diameter at diastole", "cm", 3.162131545983516),
    _regression("TAPSE", RIGHT_VENTRICLE, "Tricuspid annular plane systolic excursion", "cm", 2.1422161938799253),
    _regression("RVSVel", RIGHT_VENTRICLE, "RV systolic excursion velocity (RV S')", "cm/s", 12.794537628299329),
    _multiclass("LASize", ATRIA, "Left atrial (LA) size", ("Mildly Dilated", "Moderately|Severely Dilated", "Normal")),
    _regression("LAIDs2D", ATRIA, "LA internal diameter at systole", "cm", 4.127667695482703),
    _regression("LAVol", ATRIA, "LA volume", "cm^3", 59.82227248910341),
    _binary("RASize", ATRIA, "Right atrial (RA) size", ("Dilated", "Normal"), inverted=True),
    _regression("RADimensionM-L(cm)", ATRIA, "RA major dimension", "cm", 3.8826537010431927),
    _binary("AVStructure", AORTIC_VALVE, "Bicuspid aortic valve", ("Bicuspid", "Normal"), inverted=True),
    _multiclass("AVStenosis", AORTIC_VALVE, "Aortic valve stenosis", ("Mild|Moderate", "None", "Severe")),
    _regression("AVPkVel(m|s)", AORTIC_VALVE, "Aortic valve peak velocity", "m/s", 1.712958363035933),
    _multiclass("AVRegurg", AORTIC_VALVE, "Aortic valve regurgitation", ("Mild", "Moderate|Severe", "None|Trace")),
    _binary("LVOT20mmHg", LEFT_VENTRICLE, "Elevated LV outflow tract pressure", ("0.0", "1.0"), inverted=False),
    _binary("MVStenosis", MITRAL_VALVE, "Mitral valve stenosis", ("Mild|Moderate|Severe", "None"), inverted=True),
    _multiclass(
        "MVRegurgitation", MITRAL_VALVE, "Mitral valve regurgitation", ("Mild", "Moderate|Severe", "None|Trace")
    ),
    _multiclass(
        "TVRegurgitation", TRICUSPID_VALVE, "Tricuspid valve regurgitation", ("Mild", "Moderate|Severe", "None|Trace")
    ),
    _regression("TVPkGrad", TRICUSPID_VALVE, "Tricuspid valve peak gradient", "mmHg", 26.13051951375867),
    _binary("RAP-8-or-higher", ATRIA, "Elevated RA pressure", ("0.0", "1.0"), inverted=False),
    _regression("AORoot", AORTA, "Transverse aortic root diameter", "cm", 3.386209349294387),
)
"""In the order in which ``logits`` concatenates the heads."""


def logits_size(tasks: Iterable[Task] = TASKS) -> int:
    """Return the numbers per clip over the heads; of the release 21 regression + 10 binary + 9 x 3 classes = 58."""
    return sum(task.size for task in tasks)


def find_tasks(keys: Sequence[str], tasks: Sequence[Task] = TASKS) -> tuple[Task, ...]:
    """Return the tasks of the given keys, in the order of ``tasks``.

    Args:
        keys: Names of tasks.
        tasks: Those of a checkpoint; the release's without.

    Raises:
        TaskError: A key is not one of theirs, or no key is given.
    """
    known = [task.key for task in tasks]
    for key in keys:
        if key not in known:
            close = difflib.get_close_matches(key.lower(), [name.lower() for name in known], cutoff=0.5)
            matches = [name for lowered in close for name in known if name.lower() == lowered]
            hint = f"did you mean {' or '.join(matches)}?" if matches else f"known: {', '.join(known)}."
            raise TaskError(f"{'PanEcho' if tasks is TASKS else 'the checkpoint'} has no task {key!r}; {hint}")
    if not keys:
        raise TaskError("no task was named; a repository without heads is `--parts backbone`.")
    return tuple(task for task in tasks if task.key in keys)
