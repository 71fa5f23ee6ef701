"""Probabilities and names of classes as the reports show them."""

import math

__all__ = ["NOT_A_NUMBER", "format_percent", "readable_class"]

NOT_A_NUMBER = "not a number"
CLASSES = {"0.0": "no", "1.0": "yes", "none_trace": "none / trace", "mild_mod_severe": "mild / moderate / severe"}


def readable_class(name: str) -> str:
    """Return the name of a class in words, such as ``Mild / Moderate``, as every report shows it."""
    return CLASSES.get(name, name).replace("|", " / ").replace("_", " ")


def format_percent(value: float) -> str:
    """Return a probability as text, such as ``58 %``; one that is not certain never reads as if it were."""
    if not math.isfinite(value):
        return NOT_A_NUMBER
    if 0 < value < 0.005:
        return "<1 %"
    if 0.995 <= value < 1:
        return ">99 %"
    return f"{100 * value:.0f} %"
