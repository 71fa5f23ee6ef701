"""Makes a model repository servable: its files, the manifest and the TorchScript models."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from panecho_export.config_rendering import MODELS, rendered, write
from panecho_export.errors import ExportRepositoryError
from panecho_export.manifest import ExportManifest, ExportParity, export_date, package_versions
from panecho_export.precision import convert
from panecho_export.torchscript import save, script
from panecho_export.validation import compare, require_parity, validation_clips
from panecho_export.variant import Variant
from panecho_model.architecture import ImageEncoder, PanEchoModel, WithoutHeads
from panecho_model.checkpoint import load_model
from panecho_model.checkpoint_files import read_checkpoint
from panecho_model.errors import CheckpointError
from panecho_model.stand_in import stand_in_weights, with_training_means
from panecho_model.tasks import TASKS, Task
from panecho_model.weights_identity import WeightsIdentity, checkpoint_identity, stand_in_identity

MODEL_FILE = Path("1/model.pt")
DEFAULT = Variant()


def source_repository() -> Path:
    """Return the model repository that came with this package: the one inside the wheel, or the checkout's."""
    here = Path(__file__).parent
    candidates = (here / "model_repository", here.parents[1] / "model_repository")
    for candidate in candidates:
        if (candidate / "panecho" / "config.pbtxt").is_file():
            return candidate
    raise ExportRepositoryError(f"{candidates[0]}: missing from this installation; install panecho-triton again.")


def copy_repository(target: Path, models: Sequence[str] = MODELS) -> None:
    """Copy the files of ``models`` as they come with this package, without any exported model, over ``target``."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pt")
    for model in models:
        shutil.copytree(source_repository() / model, target / model, dirs_exist_ok=True, ignore=ignored)


def export_weights(
    tensors: dict[str, Tensor],
    identity: WeightsIdentity,
    target: Path,
    variant: Variant = DEFAULT,
    checkpoint_tasks: Sequence[Task] = TASKS,
) -> ExportManifest:
    """Make ``target`` servable with ``tensors``, given under their released names.

    Args:
        tensors: All of a checkpoint's.
        identity: Whose they are.
        target: Repository.
        variant: What is exported of them.
        checkpoint_tasks: All tasks that they have heads of.

    Returns:
        What was written.

    Raises:
        ExportError: The tensors are not PanEcho's, the exported model differs from the eager one, or the repository
            cannot be written. Then ``target`` is as it was.
    """
    _require_no_other_models(target, variant.models)
    clips = validation_clips(variant.validation_files, variant.clip_length)
    model = load_model(tensors, variant.heads or checkpoint_tasks, checkpoint_tasks)
    modules: dict[str, torch.jit.ScriptModule] = {}
    if "image_encoder" in variant.parts:
        modules["image_encoder"], parity = _image_encoder(model, clips)
    if variant.has_backbone:
        modules["backbone"], parity = _backbone(model, clips, variant)
    manifest = ExportManifest(
        weights=identity,
        tasks=variant.heads,
        precision=variant.precision,
        clip_length=variant.clip_length,
        versions=package_versions(),
        exported=export_date(),
        parity=parity,
    )
    _write(target, variant.models, manifest, modules)
    return manifest


def _backbone(
    model: PanEchoModel, clips: Sequence[Tensor], variant: Variant
) -> tuple[torch.jit.ScriptModule, ExportParity]:
    exported = convert(model, variant.precision)
    eager, exported = (model, exported) if variant.heads else (WithoutHeads(model), WithoutHeads(exported))
    scripted = script(exported)
    parity = compare(eager, scripted, clips, variant.heads)
    require_parity(parity, variant.heads, variant.precision)
    return scripted, parity


def _image_encoder(model: PanEchoModel, clips: Sequence[Tensor]) -> tuple[torch.jit.ScriptModule, ExportParity]:
    encoder = ImageEncoder(model)
    scripted = script(encoder)
    parity = compare(encoder, scripted, [batch[0] for batch in clips], ())
    require_parity(parity, (), "fp32")
    return scripted, parity


def _require_no_other_models(target: Path, models: Sequence[str]) -> None:
    """Refuse a target with models of an earlier export that this one would leave as they are."""
    others = [model for model in MODELS if model not in models and (target / model).exists()]
    if others:
        raise ExportRepositoryError(
            f"{target} holds models of another export ({', '.join(others)}), which would stay as they are; "
            "remove it, or give another --model-repository."
        )


def _write(
    target: Path, models: Sequence[str], manifest: ExportManifest, modules: dict[str, torch.jit.ScriptModule]
) -> None:
    """Write everything next to ``target``, then move it into place file by file."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
            staged = Path(folder) / target.name
            copy_repository(staged, models)
            write(rendered(staged, manifest, models))
            for model, module in modules.items():
                save(module, staged / model / MODEL_FILE)
            shutil.copytree(staged, target, dirs_exist_ok=True, copy_function=os.replace)
    except OSError as error:
        raise ExportRepositoryError(_cannot_be_written(target, error.strerror or str(error))) from error
    except RuntimeError as error:  # torch says so when it cannot write, in several lines of its own code's places
        raise ExportRepositoryError(_cannot_be_written(target, "the disk took no more of model.pt")) from error


def _cannot_be_written(target: Path, reason: str) -> str:
    free = shutil.disk_usage(next(folder for folder in target.absolute().parents if folder.exists())).free
    return (
        f"{target}: cannot be written: {reason} ({free >> 20} MiB are free); make room, or give another "
        "--model-repository."
    )


def export_checkpoint(checkpoint: Path, target: Path, variant: Variant = DEFAULT) -> ExportManifest:
    """Make ``target`` servable from a checkpoint file in the released format; see ``export_weights``.

    Raises:
        CheckpointError: As ``read_checkpoint``; or the checkpoint has another encoder than the one that is served.
    """
    tensors, record = read_checkpoint(checkpoint)
    if record.served:
        raise CheckpointError(f"{checkpoint} cannot be served: {record.served}. Compare it with `panecho train` alone.")
    identity = checkpoint_identity(checkpoint, record)
    if variant.tasks == TASKS and "study" in variant.parts:
        variant = replace(variant, tasks=record.tasks)
    return export_weights(tensors, identity, target, variant, record.tasks)


def export_stand_in(seed: int, target: Path, variant: Variant = DEFAULT) -> ExportManifest:
    """Make ``target`` servable with stand-in weights of ``seed``, regression biases at the training means."""
    return export_weights(with_training_means(stand_in_weights(seed)), stand_in_identity(seed), target, variant)
