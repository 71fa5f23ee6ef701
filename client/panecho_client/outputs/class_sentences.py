"""Classes as sentences of a laboratory's report, and how severe each is.

A task that is not listed, as of a checkpoint of one's own, is shown by its own description.
"""

from panecho_client._description import Task

__all__ = ["CLASSES", "sentence", "severity"]

# The sentence for each class, and how severe it is: 0 normal, 2 mild, 3 abnormal, 4 moderate or more, 5 severe.
CLASSES: dict[str, dict[str, tuple[int, str]]] = {
    "pericardial-effusion": {
        "none_trace": (0, "No pericardial effusion, or a trace"),
        "mild_mod_severe": (3, "Pericardial effusion, mild or more"),
    },
    "LVSize": {
        "Normal": (0, "LV of normal size"),
        "Mildly Increased": (2, "LV mildly enlarged"),
        "Moderately|Severely Increased": (4, "LV moderately or severely enlarged"),
    },
    "LVWallThickness-increased-any": {
        "Normal": (0, "LV wall thickness normal"),
        "Increased": (2, "LV wall thickness increased (any degree)"),
    },
    "LVWallThickness-increased-modsev": {
        "Normal or mildly increased": (0, "No moderate or severe increase of LV wall thickness"),
        "Moderately|severely increased": (4, "LV wall thickness moderately or severely increased"),
    },
    "LVSystolicFunction": {
        "Normal|Hyperdynamic": (0, "LV systolic function normal or hyperdynamic"),
        "Mildly Decreased": (2, "LV systolic function mildly reduced"),
        "Moderately|Severely Decreased": (4, "LV systolic function moderately or severely reduced"),
    },
    "LVWallMotionAbnormalities": {
        "None": (0, "No LV wall motion abnormality"),
        "Present": (3, "LV wall motion abnormality"),
    },
    "LVDiastolicFunction": {
        "Normal": (0, "LV diastolic function normal"),
        "Mild|Indeterminate": (2, "LV diastolic dysfunction mild or indeterminate"),
        "Moderate|Severe": (4, "LV diastolic dysfunction moderate or severe"),
    },
    "RVSize": {
        "Normal": (0, "RV of normal size"),
        "Mildly Increased": (2, "RV mildly enlarged"),
        "Moderately|Severely Increased": (4, "RV moderately or severely enlarged"),
    },
    "RVSystolicFunction": {
        "Normal": (0, "RV systolic function normal"),
        "Decreased": (3, "RV systolic function reduced"),
    },
    "LASize": {
        "Normal": (0, "LA of normal size"),
        "Mildly Dilated": (2, "LA mildly dilated"),
        "Moderately|Severely Dilated": (4, "LA moderately or severely dilated"),
    },
    "RASize": {"Normal": (0, "RA of normal size"), "Dilated": (3, "RA dilated")},
    "AVStructure": {"Normal": (0, "Aortic valve not bicuspid"), "Bicuspid": (3, "Bicuspid aortic valve")},
    "AVStenosis": {
        "None": (0, "No aortic stenosis"),
        "Mild|Moderate": (3, "Aortic stenosis, mild or moderate"),
        "Severe": (5, "Aortic stenosis, severe"),
    },
    "AVRegurg": {
        "None|Trace": (0, "No aortic regurgitation, or a trace"),
        "Mild": (2, "Aortic regurgitation, mild"),
        "Moderate|Severe": (4, "Aortic regurgitation, moderate or severe"),
    },
    "LVOT20mmHg": {
        "0.0": (0, "LV outflow tract gradient not raised (below 20 mmHg)"),
        "1.0": (4, "LV outflow tract gradient raised (20 mmHg or more)"),
    },
    "MVStenosis": {"None": (0, "No mitral stenosis"), "Mild|Moderate|Severe": (3, "Mitral stenosis, mild or more")},
    "MVRegurgitation": {
        "None|Trace": (0, "No mitral regurgitation, or a trace"),
        "Mild": (2, "Mitral regurgitation, mild"),
        "Moderate|Severe": (4, "Mitral regurgitation, moderate or severe"),
    },
    "TVRegurgitation": {
        "None|Trace": (0, "No tricuspid regurgitation, or a trace"),
        "Mild": (2, "Tricuspid regurgitation, mild"),
        "Moderate|Severe": (4, "Tricuspid regurgitation, moderate or severe"),
    },
    "RAP-8-or-higher": {
        "0.0": (0, "RA pressure not raised (below 8 mmHg)"),
        "1.0": (3, "RA pressure raised (8 mmHg or more)"),
    },
}

NORMAL_WORDS = ("normal", "none", "no", "0.0")


def sentence(task: Task, name: str) -> str:
    """Return a class as a sentence of a report."""
    known = CLASSES.get(task.key, {}).get(name)
    if known:
        return known[1]
    words = {"0.0": "no", "1.0": "yes"}.get(name, name)
    return f"{task.description}: {words.replace('|', ' or ').replace('_', ' ')}"


def severity(task: Task, name: str) -> int:
    """Return how severe a class is, from 0 (normal) to 5 (severe)."""
    known = CLASSES.get(task.key, {}).get(name)
    if known:
        return known[0]
    return 0 if name.lower().split("|")[0].split("_")[0].split(" ")[0] in NORMAL_WORDS else 3
