"""The loss of all tasks of a batch, exact over several processes and passes.

A task's loss is the mean over the labelled clips of the whole batch, wherever they are computed; the loss is the mean
over the tasks that have a label in the batch. So the gradient does not depend on how a batch is divided.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from panecho_model.tasks import Task
from panecho_training.errors import RecipeError

__all__ = ["MultiTaskLoss", "balanced_weights", "head_targets"]

Scale = Literal["published", "standardised"]
Floats = NDArray[np.float64]


def head_targets(tasks: Sequence[Task], labels: Mapping[str, Floats]) -> NDArray[np.float32]:
    """Return what each head should say, FP32 [N, tasks], NaN where a label is missing.

    A head of an inverted binary task computes the other class: its target is 1 - label.

    Args:
        tasks: Of the heads.
        labels: As in ``Table``.
    """
    columns = [1 - labels[task.key] if task.inverted else labels[task.key] for task in tasks]
    targets: NDArray[np.float32] = np.stack(columns, axis=1).astype(np.float32)
    return targets


def balanced_weights(task: Task, labels: Floats) -> NDArray[np.float64]:
    """Return the weight of each class, in inverse proportion to its frequency: n / (classes * count).

    A class without a label has weight 0. (scikit-learn's ``compute_class_weight("balanced")``)
    """
    size = max(task.size, 2)
    counts = np.bincount(labels[np.isfinite(labels)].astype(np.intp), minlength=size).astype(np.float64)
    return np.divide(counts.sum(), size * counts, out=np.zeros(size), where=counts > 0)


class MultiTaskLoss:
    """The loss, published or standardised.

    With z a head's output, y its target, and n the clips of the batch that have a label of the task:

    - regression, published: sum((z - y)²) / (n * mean); z is in the task's unit, and mean that of the training labels
    - regression, standardised: sum((z - (y - mean) / deviation)²) / n; z is in deviations from the mean
    - binary: sum of the cross entropy of sigmoid(z) and y / n; that of y = 1 times w1 / min(w) with class weights w
    - multi-class: sum of w[y] times the cross entropy of softmax(z) and y / sum of w[y]; w = 1 without class weights

    Args:
        tasks: In the order of the heads; measurements with their mean and deviation.
        scale: Of measurements.
        weights: Weights of the classes by task, in the order of the head's targets; none for equal ones.

    Raises:
        RecipeError: The published loss is asked for, and a task's mean is not above 0.
    """

    def __init__(self, tasks: Sequence[Task], scale: Scale, weights: Mapping[str, Floats] | None = None) -> None:
        self.tasks = tuple(tasks)
        self.scale = scale
        self._weights = {key: torch.from_numpy(values) for key, values in (weights or {}).items()}
        for task in self.tasks if scale == "published" else ():
            if task.kind == "regression" and not (task.training_mean or 0) > 0:
                raise RecipeError(
                    f"{task.key}: its mean label is {task.training_mean:g}, and the published loss divides by it; "
                    "choose loss: standardised."
                )

    def totals(self, targets: Tensor) -> Tensor:
        """Return by what each task's sum is divided, FP64 [tasks]: labelled clips, or the sum of their weights."""
        labelled = targets.isfinite()
        columns = []
        for column, task in enumerate(self.tasks):
            present = labelled[:, column]
            if task.kind == "multiclass" and task.key in self._weights:
                chosen = targets[present, column].long().cpu()
                columns.append(self._weights[task.key][chosen].sum().to(targets.device))
            else:
                columns.append(present.sum().double())
        return torch.stack(columns).double()

    def each(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each clip and task before it is divided, [N, tasks]; 0 where the label is missing."""
        labelled = targets.isfinite()
        filled = torch.where(labelled, targets, 0).to(logits.dtype)
        parts = torch.split(logits, [task.size for task in self.tasks], dim=1)
        columns = zip(self.tasks, parts, filled.unbind(dim=1), strict=True)
        losses = [self._of(task, part, column) for task, part, column in columns]
        return torch.where(labelled, torch.stack(losses, dim=1), 0)

    def __call__(self, logits: Tensor, targets: Tensor, totals: Tensor) -> Tensor:
        """Return this part's share of the loss of a batch; the shares of all parts add up to it.

        Args:
            logits: FP [N, heads] of some clips of the batch.
            targets: FP [N, tasks], NaN where a label is missing.
            totals: Of all clips of the batch; one at least above 0.
        """
        sums = self.each(logits, targets).sum(dim=0)
        present = totals > 0
        return (sums / totals.to(sums.dtype).clamp(min=torch.finfo(sums.dtype).tiny))[present].sum() / present.sum()

    def _of(self, task: Task, logits: Tensor, target: Tensor) -> Tensor:
        weights = self._weights.get(task.key)
        if task.kind == "regression":
            return self._squared(task, logits[:, 0], target)
        if task.kind == "multiclass":
            of_classes = None if weights is None else weights.to(logits)
            return functional.cross_entropy(logits, target.long(), weight=of_classes, reduction="none")
        positive = None if weights is None else (weights[1] / weights[weights > 0].min()).to(logits)
        return functional.binary_cross_entropy_with_logits(logits[:, 0], target, pos_weight=positive, reduction="none")

    def _squared(self, task: Task, values: Tensor, target: Tensor) -> Tensor:
        mean, deviation = task.training_mean or 0.0, task.training_deviation or 1.0
        if self.scale == "published":
            return (values - target) ** 2 / mean
        return (values - (target - mean) / deviation) ** 2
