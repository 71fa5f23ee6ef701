"""What an export is: said in the model's metadata, in the log and in every report."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from panecho_model.constants import CLIP_LENGTH, Precision
from panecho_model.tasks import TASKS, Task
from panecho_model.weights_identity import NO_WEIGHTS, WeightsIdentity


@dataclass(frozen=True, kw_only=True)
class ExportParity:
    """How far the exported model was from the eager FP32 model on the clips it was validated with.

    Attributes:
        clips: Number of clips compared; of frames for an image encoder alone.
        embedding: Largest absolute difference of any number of an embedding.
        tasks: By task key, the largest absolute difference of what the task reports of a clip: a measurement in the
            task's unit, or a probability from 0 to 1.
    """

    clips: int
    embedding: float
    tasks: Mapping[str, float]

    def summary(self) -> str:
        """Return in one sentence what the comparison found."""
        tasks = f"{max(self.tasks.values()):.2g} in any task's unit and " if self.tasks else ""
        return (
            f"Compared on {self.clips} inputs, it differs from the eager FP32 model by at most "
            f"{tasks}{self.embedding:.2g} in an embedding."
        )


@dataclass(frozen=True, kw_only=True)
class ExportManifest:
    """What a repository serves, and how it was made.

    Attributes:
        weights: Whose weights.
        tasks: In the order of ``logits``; empty without heads.
        precision: Of the backbone's computation.
        clip_length: Frames of a clip where a request does not say.
        versions: Of the packages that made it, by name; empty before an export.
        exported: When, in UTC, such as ``2026-01-31T12:00:00+00:00``; None before an export.
        parity: None before an export.
    """

    weights: WeightsIdentity = NO_WEIGHTS
    tasks: tuple[Task, ...] = TASKS
    precision: Precision = "fp32"
    clip_length: int = CLIP_LENGTH
    versions: Mapping[str, str]
    exported: str | None = None
    parity: ExportParity | None = None

    def to_json(self) -> str:
        """Return the JSON object that the model's metadata holds; of the tasks their keys."""
        return json.dumps(asdict(self) | {"tasks": [task.key for task in self.tasks]})


NOT_EXPORTED = ExportManifest(versions={})
"""Of the repository as it comes with this package."""


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that decide an export's numbers."""
    return {name: version(name) for name in ("panecho-triton", "torch", "timm")}


def export_date() -> str:
    """Return the date and time in UTC, to the second; that of SOURCE_DATE_EPOCH where it is set."""
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
