"""The loss against an independent computation of the published formula in numpy and scikit-learn."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional

from panecho_model.tasks import TASKS, Task, find_tasks
from panecho_training.errors import RecipeError
from panecho_training.losses import MultiTaskLoss, balanced_weights, head_targets

Floats = NDArray[np.float64]
CLIPS = 24


def drawn(seed: int = 0, missing: float = 0.4) -> tuple[Tensor, dict[str, Floats]]:
    """Logits FP64 of all 40 tasks, and labels with gaps; one task has no label at all."""
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(size=(CLIPS, sum(task.size for task in TASKS)))).requires_grad_()
    labels = {}
    for task in TASKS:
        values = None if task.training_mean is None else random.normal(task.training_mean, 1, CLIPS)
        classes = random.integers(max(task.size, 2), size=CLIPS).astype(np.float64)
        labels[task.key] = np.where(random.random(CLIPS) < missing, np.nan, classes if values is None else values)
    labels["TAPSE"][:] = np.nan
    return logits, labels


def independent(logits: Floats, labels: dict[str, Floats], tasks: Sequence[Task] = TASKS) -> float:
    """The published formula: mean over the tasks present of MSE / mean, BCE with logits, cross entropy."""
    losses, start = [], 0
    for task in tasks:
        part, wanted = logits[:, start : start + task.size], labels[task.key]
        start += task.size
        used = np.isfinite(wanted)
        if not used.any():
            continue
        part, wanted = part[used], wanted[used]
        if task.kind == "regression":
            assert task.training_mean is not None
            losses.append(np.mean((part[:, 0] - wanted) ** 2) / task.training_mean)
        elif task.kind == "binary":
            says = 1 / (1 + np.exp(-part[:, 0]))  # of the raw head, which computes the other class if inverted
            losses.append(log_loss(1 - wanted if task.inverted else wanted, says, labels=[0, 1]))
        else:
            powers = np.exp(part)
            losses.append(log_loss(wanted, powers / powers.sum(1, keepdims=True), labels=range(task.size)))
    return float(np.mean(losses))


def computed(loss: MultiTaskLoss, logits: Tensor, labels: dict[str, Floats]) -> Tensor:
    targets = torch.from_numpy(head_targets(loss.tasks, labels)).double()
    return loss(logits, targets, loss.totals(targets))


def test_published_loss_of_40_tasks() -> None:
    logits, labels = drawn()
    value = computed(MultiTaskLoss(TASKS, "published"), logits, labels)
    assert value.item() == pytest.approx(independent(logits.detach().numpy(), labels), rel=1e-6)


def test_its_gradient_is_that_of_the_formula() -> None:
    logits, labels = drawn()
    computed(MultiTaskLoss(TASKS, "published"), logits, labels).backward()  # type: ignore[no-untyped-call]  # torch
    assert logits.grad is not None
    random, step = np.random.default_rng(1), 1e-6
    for row, column in zip(random.integers(CLIPS, size=30), random.integers(58, size=30), strict=True):
        moved = logits.detach().numpy().copy()
        moved[row, column] += step
        above = independent(moved, labels)
        moved[row, column] -= 2 * step
        slope = (above - independent(moved, labels)) / (2 * step)
        assert logits.grad[row, column].item() == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_shares_of_two_processes_add_up_to_the_whole() -> None:
    """Also where one of them has no label of any task, and of a task that only the other has."""
    logits, labels = drawn()
    for values in labels.values():
        values[: CLIPS // 2] = np.nan
    loss = MultiTaskLoss(TASKS, "published")
    targets = torch.from_numpy(head_targets(TASKS, labels)).double()
    whole = loss(logits, targets, loss.totals(targets))
    whole.backward()  # type: ignore[no-untyped-call]  # torch
    assert logits.grad is not None
    expected, logits.grad = logits.grad.clone(), None
    totals = sum((loss.totals(part) for part in targets.chunk(2)), torch.zeros(40, dtype=torch.float64))
    shares = [loss(part, wanted, totals) for part, wanted in zip(logits.chunk(2), targets.chunk(2), strict=True)]
    for share in shares:
        share.backward()  # type: ignore[no-untyped-call]  # torch
    assert shares[0].item() == 0
    assert sum(share.item() for share in shares) == pytest.approx(whole.item(), rel=1e-12)
    torch.testing.assert_close(logits.grad, expected, rtol=1e-12, atol=0)


def test_missing_labels_cannot_reach_the_gradient() -> None:
    logits, labels = drawn()
    logits = logits.detach()
    logits[:, 0] = torch.inf  # what an unlabelled head says does not matter
    labels["pericardial-effusion"][:] = np.nan
    logits.requires_grad_()
    value = computed(MultiTaskLoss(TASKS, "published"), logits, labels)
    value.backward()  # type: ignore[no-untyped-call]  # torch
    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_class_weights_are_scikit_learns() -> None:
    tasks = find_tasks(["AVStructure", "LVWallMotionAbnormalities", "AVStenosis"])
    random = np.random.default_rng(3)
    shares = {1: [0.6, 0.4], 3: [0.5, 0.3, 0.2]}
    classes = {task.key: random.choice(max(task.size, 2), 60, p=shares[task.size]) for task in tasks}
    labels = {key: values.astype(np.float64) for key, values in classes.items()}
    targets = head_targets(tasks, labels)
    weights = {task.key: balanced_weights(task, targets[:, n].astype(np.float64)) for n, task in enumerate(tasks)}
    logits = torch.from_numpy(random.normal(size=(60, 5)))
    parts = []
    for n, task in enumerate(tasks):
        expected = compute_class_weight("balanced", classes=np.arange(max(task.size, 2)), y=targets[:, n])
        np.testing.assert_allclose(weights[task.key], expected)
        wanted = torch.from_numpy(targets[:, n])
        if task.kind == "binary":
            positive = torch.tensor(expected[1] / expected.min())
            parts.append(
                functional.binary_cross_entropy_with_logits(logits[:, n], wanted.double(), pos_weight=positive)
            )
        else:
            parts.append(functional.cross_entropy(logits[:, 2:], wanted.long(), torch.from_numpy(expected)))
    value = computed(MultiTaskLoss(tasks, "published", weights), logits, labels)
    assert value.item() == pytest.approx(torch.stack(parts).mean().item(), rel=1e-6)


def test_standardised_loss_is_of_labels_in_deviations() -> None:
    task = Task(key="x", kind="regression", group="", description="", training_mean=50.0, training_deviation=10.0)
    loss = MultiTaskLoss([task], "standardised")
    value = computed(loss, torch.tensor([[0.0], [1.0]], dtype=torch.float64), {"x": np.array([60.0, 60.0])})
    assert value.item() == pytest.approx(0.5)


def test_published_loss_of_a_task_of_mean_zero_is_refused() -> None:
    task = Task(key="z", kind="regression", group="", description="", training_mean=0.0)
    with pytest.raises(RecipeError, match="choose loss: standardised"):
        MultiTaskLoss([task], "published")
