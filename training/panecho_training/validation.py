"""How good a network is on a split: the loss, and the metrics of studies, as a server would predict them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from panecho_evaluation.bootstrap import number_patients
from panecho_evaluation.cohort import ALL, Cohort
from panecho_evaluation.task_metrics import TaskSample, task_metrics
from panecho_model.tasks import Task
from panecho_postprocessing.aggregation import heads_of
from panecho_training.clip_loader import EvaluationClips, load
from panecho_training.losses import MultiTaskLoss
from panecho_training.networks import Network
from panecho_training.ranks import Ranks
from panecho_training.table import Table

__all__ = ["Scores", "predict_videos", "score", "study_cohort"]

Logits = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How good a network is on a split.

    Attributes:
        loss: Of the videos' mean logits; NaN without labels.
        score: Mean of the mean R² of measurements and the mean AUROC of classes; NaN where neither is defined.
        metrics: By ``task metric``.
    """

    loss: float
    score: float
    metrics: Mapping[str, float]


def predict_videos(  # noqa: PLR0913 - what is predicted, by what, where
    network: Network,
    data: EvaluationClips,
    count: int,
    ranks: Ranks,
    *,
    autocast: Callable[[], torch.autocast],
    workers: int,
    on_video: Callable[[], None] = lambda: None,
) -> Logits:
    """Return what the heads compute of each video, the mean over its clips, FP32 [N, heads], in every process.

    Each video is computed once and alone, so that the numbers do not depend on the number of processes.
    """
    network.eval()
    found: dict[int, Logits] = {}
    with torch.inference_mode():
        keys = range(ranks.rank, count, ranks.world)
        for video, clips, _ in load(data, keys, workers=workers, collate=False):
            with autocast():
                logits = network(torch.from_numpy(clips).to(ranks.device))
            found[video] = logits.double().mean(dim=0).float().cpu().numpy()
            on_video()
    everything = {video: logits for part in ranks.gather(found) for video, logits in part.items()}
    return np.stack([everything[video] for video in range(count)])


def score(network: Network, loss: MultiTaskLoss, table: Table, targets: Logits, logits: Logits) -> Scores:
    """Return how good the logits of a split are."""
    totals = loss.totals(torch.from_numpy(targets))
    value = float(loss(torch.from_numpy(logits), torch.from_numpy(targets), totals)) if bool(totals.any()) else math.nan
    cohort = study_cohort(network, table, logits)
    metrics: dict[str, float] = {}
    kinds: dict[str, list[float]] = {"r2": [], "auroc": []}
    for task in network.tasks:
        (sample,) = cohort.samples(task).values()
        for name, number in _numbers(task, sample).items():
            metrics[f"{task.key} {name}"] = number
            if name in kinds and math.isfinite(number):
                kinds[name].append(number)
    means = [float(np.mean(numbers)) for numbers in kinds.values() if numbers]
    return Scores(loss=value, score=float(np.mean(means)) if means else math.nan, metrics=metrics)


def _numbers(task: Task, sample: TaskSample) -> dict[str, float]:
    """Return the metrics that a history shows."""
    if not len(sample.labels):
        return {}
    found = task_metrics(sample, {})
    if task.kind == "regression":
        return {name: float(found["", name][0]) for name in ("mae", "r2")}
    key = ("", "auroc") if task.kind == "multiclass" else (str(task.positive_class), "auroc")
    return {"auroc": float(found[key][0])}


def study_cohort(network: Network, table: Table, logits: Logits) -> Cohort:
    """Return labels and predictions of each study, aggregated as a server does: activation, then mean of the videos."""
    raw = network.scale.in_units(logits)
    names = list(dict.fromkeys(table.studies))
    places = {name: place for place, name in enumerate(names)}
    study = np.array([places[name] for name in table.studies])
    counts = np.bincount(study, minlength=len(names))[:, None]
    predictions: dict[str, NDArray[np.float64]] = {}
    for head in heads_of([task.describe() for task in network.tasks]):
        videos = head.activate(raw[:, head.columns])
        sums = np.zeros((len(names), videos.shape[1]))
        np.add.at(sums, study, videos)
        predictions[head.key] = sums / counts
    first = {study: row for row, study in reversed(list(enumerate(study.tolist())))}
    patients, _ = number_patients([table.patients[first[place]] for place in range(len(names))])
    labels = {key: _study_labels(values, study, len(names)) for key, values in table.labels.items()}
    return Cohort(name=ALL, patients=patients, labels=labels, runs={"run": predictions})


def _study_labels(values: NDArray[np.float64], study: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Return the label of each study: that of its first video that has one."""
    labels = np.full(count, np.nan)
    labelled: Sequence[int] = np.flatnonzero(np.isfinite(values))[::-1].tolist()
    for row in labelled:
        labels[study[row]] = values[row]
    return labels
