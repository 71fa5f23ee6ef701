"""Where the weights of a run come from: PanEcho, chance, ImageNet, EchoCLIP, Kinetics, or stand-ins."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from torch import Tensor, nn

from panecho_model.architecture import PUBLISHED_SHAPE
from panecho_model.checkpoint_files import read_checkpoint
from panecho_model.checkpoint_record import CheckpointRecord, checkpoint_path
from panecho_model.constants import FRAME_SIZE
from panecho_model.released_file import LICENCE
from panecho_model.stand_in import stand_in_weights, with_training_means
from panecho_model.tasks import Task
from panecho_training.errors import RecipeError, TrainingError
from panecho_training.networks import Network, make_encoder
from panecho_training.recipe import VIDEO_ENCODERS, Recipe
from panecho_training.released_tensors import head_names, load_encoder, load_heads
from panecho_training.table import Table

__all__ = ["Initialisation", "Origin", "initialise", "why_not_served"]

Kind = Literal["panecho", "random", "imagenet", "echo-clip", "kinetics", "stand-in"]
TORCHVISION = "encoder.encoder.model."

LICENCES: Mapping[str, str] = {
    "random": "yours to choose, as far as the data allow",
    "imagenet": "torchvision's weights (BSD-3-Clause), trained on ImageNet: non-commercial research",
    "echo-clip": "EchoCLIP, Cedars-Sinai: academic research only",
    "kinetics": "torchvision's weights (BSD-3-Clause), trained on Kinetics-400",
    "stand-in": "Apache-2.0",
}


@dataclass(frozen=True, kw_only=True)
class Initialisation:
    """What ``--init`` names.

    Attributes:
        kind: ``panecho``: a checkpoint of PanEcho or of another run.
        path: The file; none for random weights.
        seed: Of stand-ins.
    """

    kind: Kind
    path: Path | None = None
    seed: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a checkpoint's path, random, stand-in=SEED, imagenet=FILE, echo-clip=FILE or kinetics=FILE.

        Raises:
            RecipeError: It is none of these, or the file is not there.
        """
        kind, found, value = text.partition("=")
        if text == "random":
            return cls(kind="random")
        if kind == "stand-in" and value.isdecimal():
            return cls(kind="stand-in", seed=int(value))
        named = kind if found and kind in get_args(Kind) else "panecho"
        path = checkpoint_path(Path(value if named == kind else text))
        if not path.is_file():
            raise RecipeError(
                f"--init {text}: no such file. Give a checkpoint such as panecho.pt or RUN/best, random, "
                "imagenet=FILE, echo-clip=FILE, kinetics=FILE, or stand-in=SEED to try things out."
            )
        return cls(kind=named, path=path)  # type: ignore[arg-type]  # one of the literals


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a network's weights came from.

    Attributes:
        name: For people.
        sha256: Of the file; None without one.
        licence: Of the weights, and so of what is made of them.
        stand_in: Whether they mean nothing clinically.
        came: Parts that came along.
        fresh: Parts that begin at random.
        kept: Heads that are saved as they came, with their tasks.
    """

    name: str
    sha256: str | None = None
    licence: str | None = None
    stand_in: bool = False
    came: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    kept: tuple[tuple[Task, ...], dict[str, Tensor]] = ((), {})

    def summary(self) -> str:
        """Return in one sentence what came along and what is fresh."""
        came = f"{', '.join(self.came)} from {self.name}" if self.came else "nothing from a file"
        return f"Weights: {came}; fresh: {', '.join(self.fresh) or 'nothing'}."


def initialise(start: Initialisation, recipe: Recipe, tasks: tuple[Task, ...], train: Table) -> tuple[Network, Origin]:
    """Return a network and where its weights came from; the same for the same seed.

    Args:
        start: Where they come from.
        recipe: Settings.
        tasks: To train, with their statistics.
        train: Training split: fresh heads start at its means and frequencies.

    Raises:
        CheckpointError: The file cannot be read.
        TrainingError: It holds other tensors than the encoder needs; the text names them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = Network(
            make_encoder(recipe, start.kind),
            tasks,
            standardised=recipe.loss == "standardised",
            head_dropout=recipe.head_dropout,
        )
        _scale_layers(network, recipe.layer_scale)
        _start_biases(network, train)
    if start.kind in ("panecho", "stand-in"):
        return network, _from_panecho(network, start, recipe)
    if start.kind == "random":
        return network, Origin(name="random weights", licence=LICENCES["random"], fresh=("everything",))
    return network, _from_images(network, start)


def why_not_served(recipe: Recipe, kind: Kind) -> str:
    """Return why a run's checkpoint cannot be exported and served; empty if it can."""
    faults = []
    if kind in ("echo-clip", "kinetics") or recipe.image_encoder in VIDEO_ENCODERS:
        faults.append(
            f"its encoder is that of {recipe.image_encoder if kind not in LICENCES else kind}, 512 numbers wide"
        )
    elif recipe.image_encoder != PUBLISHED_SHAPE.image_encoder:
        faults.append(f"its image encoder is {recipe.image_encoder}")
    if recipe.layers != PUBLISHED_SHAPE.layers:
        faults.append(f"its Transformer has {recipe.layers} layers")
    if recipe.frame_size != FRAME_SIZE:
        faults.append(f"its frames have {recipe.frame_size} pixels a side")
    if not faults:
        return ""
    return f"{', '.join(faults)}; served is convnext_tiny with 4 layers on frames of 224 pixels"


def _from_panecho(network: Network, start: Initialisation, recipe: Recipe) -> Origin:
    if start.path is None:
        tensors, record = with_training_means(stand_in_weights(start.seed)), CheckpointRecord(stand_in=True)
        name, digest = f"stand-in {start.seed}", None
    else:
        tensors, record = read_checkpoint(start.path)
        name, digest = _name(start.path, record), _sha256(start.path)
    load_encoder(network, tensors, name)
    came = load_heads(network, tensors, record.tasks)
    fresh = [task.key for task in network.tasks if task.key not in came]
    kept = tuple(task for task in record.tasks if task not in network.tasks and task.key not in {*came, *fresh})
    return Origin(
        name=name,
        sha256=digest,
        licence=LICENCES["stand-in"] if start.path is None else record.licence or LICENCE,
        stand_in=record.stand_in,
        came=("image encoder", "Transformer", *(f"head {key}" for key in came)),
        fresh=tuple(f"head {key}" for key in fresh),
        kept=(kept, {head: tensors[head] for task in kept for head in head_names(task)})
        if recipe.keep_heads
        else ((), {}),
    )


def _from_images(network: Network, start: Initialisation) -> Origin:
    """Load an encoder that others trained; what stands behind it is fresh."""
    assert start.path is not None  # noqa: S101 - ``parse`` gives one
    tensors, _ = read_checkpoint(start.path)
    name = f"{start.kind} ({start.path.name})"
    came: tuple[str, ...]
    fresh: tuple[str, ...]
    if start.kind == "imagenet":
        wanted = {key: value for key, value in tensors.items() if not key.startswith("classifier.2.")}
        own = _without_image(network, {f"{TORCHVISION}{key}": value for key, value in wanted.items()})
        load_encoder(network, own, name)
        came, fresh = ("image encoder",), ("Transformer", "heads")
    elif start.kind == "echo-clip":
        visual = {key.removeprefix("visual."): value for key, value in tensors.items() if key.startswith("visual.")}
        named = {key.replace("head.proj.", "projection."): value for key, value in visual.items()}
        _load(network.encoder.image, named, name)
        came, fresh = ("image encoder",), ("Transformer", "heads")
    else:
        _load(network.encoder.video, {key: value for key, value in tensors.items() if not key.startswith("fc.")}, name)
        came, fresh = ("video encoder",), ("heads",)
    return Origin(name=name, sha256=_sha256(start.path), licence=LICENCES[start.kind], came=came, fresh=fresh)


def _without_image(network: Network, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors, and the network's own of all that is not the image encoder."""
    own = {f"encoder.{name}": tensor for name, tensor in network.encoder.state_dict().items()}
    return tensors | {name: tensor for name, tensor in own.items() if not name.startswith("encoder.image.")}


def _load(module: Any, tensors: dict[str, Tensor], name: str) -> None:  # noqa: ANN401 - a module, says torch
    try:
        module.load_state_dict(
            {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}
        )
    except RuntimeError as error:
        raise TrainingError(f"{name} does not fit: {' '.join(str(error).split())[:600]}") from None


def _name(path: Path, record: CheckpointRecord) -> str:
    """Return what a checkpoint is called: of a run, with what that run started from."""
    if record.fine_tuned_from is None:
        return path.name
    return f"{path.resolve().parent.name}/{path.name} (itself from {record.fine_tuned_from})"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _scale_layers(network: Network, scale: float | None) -> None:
    """Set the layer scales of a random ConvNeXt: timm's 1e-6 keep it inert for a long while."""
    if scale is not None:
        for name, parameter in network.encoder.named_parameters():
            if name.endswith(".gamma"):
                nn.init.constant_(parameter, scale)


def _start_biases(network: Network, train: Table) -> None:
    """Start each head at what it would say of an average clip: mean label, log odds, log frequencies."""
    bias, start = network.heads.bias.detach().clone(), 0
    for task in network.tasks:
        labels = train.labels[task.key]
        labels = labels[np.isfinite(labels)]
        rows = slice(start, start + task.size)
        start += task.size
        if task.kind == "regression":
            bias[rows] = task.training_mean or 0.0
        elif task.kind == "binary":
            share = float(np.clip((1 - labels if task.inverted else labels).mean(), 1e-3, 1 - 1e-3))
            bias[rows] = math.log(share / (1 - share))
        else:
            counts = np.bincount(labels.astype(int), minlength=task.size) + 0.5
            bias[rows] = torch.from_numpy(np.log(counts / counts.sum())).float()
    with torch.no_grad():
        network.heads.bias.copy_(network.scale.unfolded(network.heads.weight, bias)[1])
