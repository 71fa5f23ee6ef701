"""Labels that look like another unit or sign than the model's."""

from collections.abc import Iterator

import numpy as np

from panecho_evaluation.arrays import Floats
from panecho_model.tasks import Task

__all__ = ["suspicious_labels"]

FACTOR = 4
"""Between the medians of labels and predictions: cm and mm are 10 apart, per cent and shares 100."""


def suspicious_labels(task: Task, labels: Floats, predictions: Floats) -> Iterator[str]:
    """Return what looks wrong with the labels of a measurement.

    Args:
        task: The task.
        labels: Labels, [N], none missing.
        predictions: What the model says, [N].
    """
    if task.kind != "regression" or not len(labels):
        return
    measured, predicted = float(np.median(labels)), float(np.median(predictions))
    unit = f" {task.unit}" if task.unit else ""
    medians = f"the median label is {measured:.3g}, the median prediction {predicted:.3g}{unit}"
    if measured * predicted < 0:
        yield f"{task.key}: {medians}; are the signs the same? The model's GLS is -1 times the strain."
    elif not abs(predicted) / FACTOR <= abs(measured) <= abs(predicted) * FACTOR:
        yield f"{task.key}: {medians}; are the labels in another unit?"
