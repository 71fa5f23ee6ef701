"""A prediction in words and numbers, as the reports show it."""

import math

from panecho_client._results import Prediction

NOT_A_NUMBER = "not a number"
UNITS = {"cm^3": "cm³"}
CLASSES = {"0.0": "no", "1.0": "yes"}


def format_prediction(prediction: Prediction) -> list[tuple[str, str]]:
    """Return value and meaning, such as ``58.3 %`` and ``LV ejection fraction``; then the classes less probable."""
    task = prediction.task
    if task.kind == "regression":
        return [(_measurement(prediction), task.description)]
    named = task.positive_class if task.kind == "binary" else prediction.label
    meaning = f"{task.description}: {CLASSES.get(named, named)}" if named else task.description
    rows = [(format_percent(prediction.value), meaning)]
    if task.kind == "multiclass":
        rows += [(format_percent(p), f"  {name}") for name, p in prediction.probabilities.items() if name != named]
    return rows


def _measurement(prediction: Prediction) -> str:
    value, unit = prediction.value, prediction.task.unit or ""
    if not math.isfinite(value):
        return NOT_A_NUMBER
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{decimals}f} {UNITS.get(unit, unit)}".rstrip()


def format_percent(value: float) -> str:
    """Return a probability as text, such as ``58 %``; one that is not certain never reads as if it were."""
    if not math.isfinite(value):
        return NOT_A_NUMBER
    if 0 < value < 0.005:
        return "<1 %"
    if 0.995 <= value < 1:
        return ">99 %"
    return f"{100 * value:.0f} %"
