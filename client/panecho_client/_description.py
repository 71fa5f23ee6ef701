"""What a server says about itself: its tasks, its weights and how they were exported.

Each is JSON in the parameters of the ensemble's model configuration, so that no client holds a copy of them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal, get_args

from panecho_client._exceptions import IncompatibleServerError

VERSION = version("panecho-client")

Kind = Literal["regression", "binary", "multiclass"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task of the model, as the server describes it.

    Example:
        >>> for task in panecho.tasks:
        ...     print(task.group, task.key, task.unit or task.classes)

    Attributes:
        key: PanEcho's name of the task.
        kind: ``regression``, ``binary`` or ``multiclass``.
        description: What the prediction means.
        unit: Unit of a regression task; None for a ratio and for classes.
        group: Part of the heart.
        classes: Class names in released order; two for a binary task, none for regression.
        positive_class: Class whose probability a binary task reports.
        inverted: Whether the model itself computes the other class's probability; predictions account for it.
        training_mean: Mean of the training labels of a regression task, in its unit.
    """

    key: str
    kind: Kind
    description: str
    unit: str | None
    group: str
    classes: tuple[str, ...]
    positive_class: str | None
    inverted: bool
    training_mean: float | None

    @property
    def size(self) -> int:
        """Numbers that the server sends for one prediction."""
        return len(self.classes) if self.kind == "multiclass" else 1


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far the served model was from the original FP32 model on the clips that the export compared.

    Attributes:
        clips: Number of clips.
        embedding: Largest absolute difference of any number of an embedding.
        tasks: By task, the largest absolute difference of what it reports: a measurement in its unit, or a probability.
    """

    clips: int
    embedding: float
    tasks: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """How the model that the server runs was exported.

    Example:
        >>> if panecho.weights.manifest:
        ...     print(panecho.weights.manifest.precision)

    Attributes:
        precision: ``fp32``, ``bf16`` or ``fp16``.
        clip_length: Frames of a clip where a request does not say.
        versions: Of panecho-triton, torch and timm at the export.
        exported: When, in UTC.
        parity: What the export's comparison with the original model found.
    """

    precision: str
    clip_length: int
    versions: Mapping[str, str]
    exported: str | None
    parity: Parity | None


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Whose weights the server runs.

    Example:
        >>> if panecho.weights.stand_in:
        ...     print(panecho.weights.notice)

    Attributes:
        name: Name of the checkpoint.
        sha256: Of the checkpoint file; None for stand-ins.
        stand_in: Whether the weights only stand in for trained ones: predictions then mean nothing clinically.
        licence: Licence, where it is known.
        fine_tuned_from: What they were fine-tuned from, and its hash; None where they were not.
        notice: What everybody who reads a prediction must know.
        manifest: How they were exported; None where the server does not say.
    """

    name: str
    sha256: str | None
    stand_in: bool
    licence: str | None
    notice: str | None
    fine_tuned_from: str | None = None
    manifest: Manifest | None = field(default=None, hash=False)


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a server says about itself."""

    tasks: tuple[Task, ...]
    weights: Weights


def parse_description(parameters: Mapping[str, str]) -> Description:
    """Return what the parameters of the ensemble's model configuration say.

    Raises:
        IncompatibleServerError: They do not describe the tasks and weights as this version expects.
    """
    try:
        return Description(
            tasks=tuple(parse_task(entry) for entry in json.loads(parameters["tasks"])),
            weights=parse_weights(json.loads(parameters["weights"]), json.loads(parameters.get("manifest", "null"))),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IncompatibleServerError(
            "this server's `panecho` model does not describe its tasks and weights as this client expects "
            f"({type(error).__name__}: {error}); serve a model repository that panecho-triton {VERSION} has exported, "
            "or install the client in the server's version."
        ) from None


def parse_task(entry: Mapping[str, Any]) -> Task:
    """Return a task from its entry in a description; KeyError, TypeError or ValueError if it is not one."""
    if entry["kind"] not in get_args(Kind):
        raise ValueError(f"task {entry['key']} is of unknown kind {entry['kind']!r}")
    if entry["kind"] == "binary" and (len(entry["classes"]) != 2 or entry["positive_class"] not in entry["classes"]):
        raise ValueError(f"binary task {entry['key']} needs two classes, one of them the positive one")
    return Task(
        key=entry["key"],
        kind=entry["kind"],
        description=entry["description"],
        unit=entry["unit"],
        group=entry["group"],
        classes=tuple(entry["classes"]),
        positive_class=entry["positive_class"],
        inverted=entry["inverted"],
        training_mean=entry["training_mean"],
    )


def parse_weights(entry: Mapping[str, Any], manifest: Mapping[str, Any] | None) -> Weights:
    """Return the weights and how they were exported; errors as ``parse_task``."""
    return Weights(
        name=entry["name"],
        sha256=entry["sha256"],
        stand_in=entry["stand_in"],
        licence=entry["licence"],
        notice=entry["notice"],
        fine_tuned_from=entry.get("fine_tuned_from"),
        manifest=None if manifest is None else _manifest(manifest),
    )


def _manifest(entry: Mapping[str, Any]) -> Manifest:
    return Manifest(
        precision=entry["precision"],
        clip_length=entry["clip_length"],
        versions=dict(entry["versions"]),
        exported=entry["exported"],
        parity=None if entry["parity"] is None else _parity(entry["parity"]),
    )


def _parity(entry: Mapping[str, Any]) -> Parity:
    return Parity(clips=entry["clips"], embedding=entry["embedding"], tasks=dict(entry["tasks"]))
