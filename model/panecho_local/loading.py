"""Builds a pipeline from a checkpoint, in the precision that suits the device."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from panecho_export.config_rendering import tasks_json
from panecho_export.manifest import ExportManifest, package_versions
from panecho_export.precision import best_precision, convert
from panecho_export.torchscript import script
from panecho_local.backbone import Backbone
from panecho_local.pipeline import Pipeline
from panecho_model.architecture import ImageEncoder
from panecho_model.checkpoint import load_model
from panecho_model.checkpoint_files import read_checkpoint
from panecho_model.checkpoint_record import CheckpointRecord
from panecho_model.constants import MAX_CLIPS, MAX_FRAMES, Precision
from panecho_model.errors import InputError
from panecho_model.released_file import fetch_released
from panecho_model.stand_in import stand_in_weights, with_training_means
from panecho_model.tasks import Task, find_tasks
from panecho_model.weights_identity import WeightsIdentity, checkpoint_identity, stand_in_identity
from panecho_postprocessing.aggregation import heads_of
from panecho_preprocessing import available_cores


def load_pipeline(
    checkpoint: str | Path | None = None,
    *,
    stand_in: int | None = None,
    tasks: Sequence[str] | None = None,
    device: str | torch.device | None = None,
    precision: Precision | None = None,
) -> Pipeline:
    """Return the pipeline of a checkpoint.

    Args:
        checkpoint: Path of a checkpoint; the released one, fetched into the cache, without it.
        stand_in: Seed of stand-in weights, used instead of a checkpoint. They mean nothing.
        tasks: Names of the tasks; all by default.
        device: Such as ``cuda`` or ``cpu``; the GPU where there is one by default.
        precision: ``fp32``, ``bf16`` or ``fp16``; what the device computes in hardware by default.

    Raises:
        InputError: Both ``checkpoint`` and ``stand_in`` are given, or there is no such device.
        ModelError: The checkpoint cannot be read or fetched, does not fit, or a task is unknown.
    """
    tensors, identity, record = _weights(checkpoint, stand_in)
    chosen = record.tasks if tasks is None else find_tasks(list(tasks), record.tasks)
    place = _device(device)
    kind: Precision = precision or (best_precision().precision if device is None or place.type != "cpu" else "fp32")
    model = load_model(tensors, chosen, record.tasks)
    return Pipeline(
        backbone=Backbone(script(convert(model, kind)), place, MAX_CLIPS),
        image_encoder=Backbone(ImageEncoder(model), place, MAX_FRAMES),
        heads=heads_of(json.loads(tasks_json(chosen))),
        description=_description(identity, chosen, kind),
        clip_length=record.clip_length,
        threads=available_cores(),
    )


def _weights(
    checkpoint: str | Path | None, stand_in: int | None
) -> tuple[dict[str, Tensor], WeightsIdentity, CheckpointRecord]:
    if checkpoint is not None and stand_in is not None:
        raise InputError("checkpoint and stand_in are both given; choose one: real weights or stand-ins.")
    if stand_in is not None:
        return with_training_means(stand_in_weights(stand_in)), stand_in_identity(stand_in), CheckpointRecord()
    path = fetch_released() if checkpoint is None else Path(checkpoint)
    tensors, record = read_checkpoint(path)
    if record.served:
        raise InputError(f"{path} cannot be used here: {record.served}.")
    return tensors, checkpoint_identity(path, record), record


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}; give cpu or cuda.") from None
    return place


def _description(identity: WeightsIdentity, tasks: tuple[Task, ...], precision: Precision) -> dict[str, str]:
    manifest = ExportManifest(weights=identity, tasks=tasks, precision=precision, versions=package_versions())
    return {"tasks": tasks_json(tasks), "weights": identity.to_json(), "manifest": manifest.to_json()}
