"""What a fine-tuned checkpoint says of itself: tasks, clips, where it came from, under which licence.

A released checkpoint has no such record: then it holds PanEcho's 40 tasks. The record is JSON text next to the weights,
``{"weights": {…}, "panecho": "{…}"}``, so that no code runs when it is read, and the published code still loads it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from panecho_model.constants import CLIP_LENGTH
from panecho_model.errors import CheckpointError
from panecho_model.tasks import TASKS, Task

__all__ = ["RECORD", "CheckpointRecord", "checkpoint_path"]

RECORD = "panecho"
"""Name of the record in a checkpoint file."""

FORMAT = 1
FILE_SUFFIXES = (".pt", ".safetensors")


@dataclass(frozen=True, kw_only=True)
class CheckpointRecord:
    """The record of a checkpoint.

    Attributes:
        tasks: In the order of the heads.
        clip_length: Frames of a clip that it was trained with.
        clip_options: Other choices of frames and framing that it was trained with, by their request parameters.
        served: Whether it has the published encoder and can be exported; else what differs, for people.
        fine_tuned_from: What the weights were before, for people; None for a release.
        fine_tuned_from_sha256: Of that file.
        licence: Licence of the weights.
        stand_in: Whether the weights it started from mean nothing clinically.
        details: Whatever else its run recorded: recipe, hash of the table, metrics.
    """

    tasks: tuple[Task, ...] = TASKS
    clip_length: int = CLIP_LENGTH
    clip_options: Mapping[str, Any] = field(default_factory=dict)
    served: str = ""
    fine_tuned_from: str | None = None
    fine_tuned_from_sha256: str | None = None
    licence: str | None = None
    stand_in: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the record as JSON text."""
        return json.dumps({"format": FORMAT} | asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a record.

        Raises:
            CheckpointError: It is of a newer version, or no record.
        """
        try:
            entry = json.loads(text)
            if entry.pop("format") != FORMAT:
                raise CheckpointError("the checkpoint is of a newer panecho-triton; install that version.")
            tasks = tuple(Task(**(task | {"classes": tuple(task["classes"])})) for task in entry.pop("tasks"))
            return cls(tasks=tasks, **entry)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"the checkpoint's record of its tasks is damaged ({type(error).__name__}: {error})."
            ) from error


def checkpoint_path(path: Path) -> Path:
    """Return the file of a checkpoint that may be named without its ending, as ``RUN/best``."""
    if path.is_file() or not path.name:
        return path
    found = [path.with_name(path.name + suffix) for suffix in FILE_SUFFIXES]
    return next((candidate for candidate in found if candidate.is_file()), path)
