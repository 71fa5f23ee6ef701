"""What the metrics are called, which unit they have and which way is better."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["METRICS", "Metric"]

Better: TypeAlias = Literal["higher", "lower", "nearer 0"]
Scale: TypeAlias = Literal["unit", "unit²", "share", "number"]


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        label: As a reader knows it.
        scale: ``unit`` and ``unit²`` are those of the task, ``share`` is from 0 to 1.
        better: Which value is better; None where neither is.
    """

    label: str
    scale: Scale
    better: Better | None


METRICS: dict[str, Metric] = {
    "mae": Metric("MAE", "unit", "lower"),
    "rmse": Metric("RMSE", "unit", "lower"),
    "mse": Metric("MSE", "unit²", "lower"),
    "r2": Metric("R²", "number", "higher"),
    "nmae": Metric("Normalised MAE", "number", "lower"),
    "bias": Metric("Bias", "unit", "nearer 0"),
    "sd": Metric("SD of differences", "unit", "lower"),
    "loa_low": Metric("Lower limit of agreement", "unit", "nearer 0"),
    "loa_high": Metric("Upper limit of agreement", "unit", "nearer 0"),
    "auroc": Metric("AUROC", "number", "higher"),
    "average_precision": Metric("Average precision", "number", "higher"),
    "brier": Metric("Brier score", "number", "lower"),
    "ece": Metric("ECE", "number", "lower"),
    "sensitivity": Metric("Sensitivity", "share", "higher"),
    "specificity": Metric("Specificity", "share", "higher"),
    "ppv": Metric("PPV", "share", "higher"),
    "npv": Metric("NPV", "share", "higher"),
    "prevalence": Metric("Prevalence", "share", None),
    "threshold": Metric("Threshold", "number", None),
    "accuracy": Metric("Accuracy", "share", "higher"),
    "kappa": Metric("Kappa", "number", "higher"),
    "kappa_linear": Metric("Kappa, linear weights", "number", "higher"),
    "kappa_quadratic": Metric("Kappa, quadratic weights", "number", "higher"),
}
