"""Evaluates the best epoch of a run, and writes what it is worth."""

import json
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import torch

from panecho_model.checkpoint_files import read_checkpoint
from panecho_training.data_sources import ClipSource, EmbeddingSource
from panecho_training.initialisation import Origin
from panecho_training.model_card import RunFacts, as_json, estimates_of, model_card
from panecho_training.networks import Network
from panecho_training.predictions import write_predictions
from panecho_training.ranks import Ranks
from panecho_training.recipe import Recipe
from panecho_training.released_tensors import load_encoder, load_heads
from panecho_training.run_folder import RunFolder
from panecho_training.splits import Splits
from panecho_training.validation import study_cohort

if TYPE_CHECKING:
    from panecho_evaluation.estimates import Estimate

__all__ = ["evaluate_best", "package_versions"]

Source = ClipSource | EmbeddingSource


def evaluate_best(  # noqa: PLR0913 - what is evaluated, on what, and where it is written
    recipe: Recipe,
    network: Network,
    data: Source,
    splits: Splits,
    *,
    origin: Origin,
    folder: RunFolder,
    best_epoch: int,
    ranks: Ranks,
) -> None:
    """Give the network the weights of ``best.pt``, evaluate them on validation and test, and write the model card."""
    tensors, record = read_checkpoint(folder.path / "best.pt")
    load_encoder(network, tensors, "best.pt")
    load_heads(network, tensors, record.tasks)
    estimates: dict[str, list[Estimate]] = {}
    for name in ("val", "test"):
        split = splits[name]
        if not len(split):
            continue
        logits = data.predict(network, name) if isinstance(data, EmbeddingSource) else data.predict(network, split)
        if ranks.is_first:
            write_predictions(folder, f"predictions-{name}.csv", network, split, logits)
            estimates[name] = estimates_of(study_cohort(network, split, logits), network.tasks)
    if not ranks.is_first:
        return
    facts = RunFacts(
        origin=origin,
        tasks=network.tasks,
        table_sha256=splits["train"].sha256,
        splits={name: (len(of), len(set(of.studies)), len(set(of.patients))) for name, of in splits.items()},
        labels={key: int(np.isfinite(values).sum()) for key, values in splits["train"].labels.items()},
        best_epoch=best_epoch,
        versions=package_versions(),
        device=torch.cuda.get_device_name(ranks.device) if ranks.device.type == "cuda" else "CPU",
        served=record.served,
    )
    folder.write("metrics.json", json.dumps({name: as_json(of) for name, of in estimates.items()}, indent=1) + "\n")
    folder.write("model-card.md", model_card(recipe, facts, estimates))


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that decide a run's numbers."""
    return {name: version(name) for name in ("panecho-triton", "torch", "timm")}
