"""Validation: every video once whoever computes it, and the numbers of a server's aggregation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from panecho_postprocessing.aggregation import ClipOutputs, heads_of, predict
from panecho_training.clip_loader import EvaluationClips
from panecho_training.initialisation import Initialisation, initialise
from panecho_training.losses import head_targets
from panecho_training.precision import make_autocast
from panecho_training.ranks import Ranks
from panecho_training.recipe import Recipe
from panecho_training.splits import read_splits
from panecho_training.validation import predict_videos, study_cohort

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class OneOfTwo(Ranks):
    """A process of two that run one after the other: it keeps what it would send."""

    sent: list[Any]

    def gather(self, value: Any) -> list[Any]:  # noqa: ANN401 - as the method's
        self.sent.append(value)
        return [*self.sent, value]


def test_an_odd_number_of_videos_is_scored_once_each(videos: Path, tiny: Path) -> None:
    recipe = Recipe.read(tiny)
    splits, tasks = read_splits(videos, recipe, print)
    val = splits["val"]
    assert len(val) == 3
    network, _ = initialise(Initialisation.parse("random"), recipe, tasks, splits["train"])
    data = EvaluationClips(val, head_targets(tasks, val.labels), recipe)
    options: dict[str, Any] = {"autocast": make_autocast("fp32", CPU), "workers": 0}
    alone = predict_videos(network, data, 3, Ranks(device=CPU), **options)
    sent: list[Any] = []
    with pytest.raises(KeyError):  # the first of two does not have them all
        predict_videos(network, data, 3, OneOfTwo(rank=0, world=2, device=CPU, sent=sent), **options)
    both = predict_videos(network, data, 3, OneOfTwo(rank=1, world=2, device=CPU, sent=sent), **options)
    assert sorted(video for part in sent for video in part) == [0, 1, 2]
    np.testing.assert_array_equal(both, alone)


def test_a_study_is_aggregated_as_on_a_server(videos: Path, tiny: Path) -> None:
    recipe = Recipe.read(tiny)
    splits, tasks = read_splits(videos, recipe, print)
    network, _ = initialise(Initialisation.parse("random"), recipe, tasks, splits["train"])
    train = splits["train"]
    logits = np.random.default_rng(0).normal(size=(len(train), 2)).astype(np.float32)
    one_study = type(train)(**{**vars(train), "studies": ("s",) * len(train)})
    (predicted,) = study_cohort(network, one_study, logits).runs.values()
    clips = ClipOutputs(
        logits=network.scale.in_units(logits).astype(np.float32),
        clip_embedding=np.zeros((len(train), 1), np.float32),
        clip_video=np.arange(len(train), dtype=np.int32),
        video_status=["ok"] * len(train),
    )
    served = predict(heads_of([task.describe() for task in tasks]), clips, {"EF", "LVIDd"})
    for key, values in served.items():
        np.testing.assert_allclose(predicted[key][0], values, rtol=1e-6)
