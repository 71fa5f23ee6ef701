"""What is exported: which models, for which tasks, how precise."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from panecho_export.errors import VariantError
from panecho_model.constants import CLIP_LENGTH, MAX_CLIP_LENGTH, Precision
from panecho_model.tasks import TASKS, Task

Part = Literal["study", "backbone", "image_encoder"]
STUDY_MODELS = ("panecho", "preprocessing", "backbone", "postprocessing")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A choice of what ``panecho export`` writes.

    Args:
        tasks: Tasks of a study, in released order.
        parts: ``study`` predicts tasks from the files of a study; ``backbone`` is the same without heads, and gives
            each video's embedding; ``image_encoder`` gives embeddings of single frames.
        clip_length: Frames of a clip where a request does not say.
        precision: Of the backbone's computation; the image encoder's is always FP32.
        validation_files: Real files to compare the exported model on, in addition to generated clips.

    Raises:
        VariantError: The choices do not go together.
    """

    tasks: tuple[Task, ...] = TASKS
    parts: tuple[Part, ...] = ("study", "image_encoder")
    clip_length: int = CLIP_LENGTH
    precision: Precision = "fp32"
    validation_files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if not self.parts or {"study", "backbone"} <= set(self.parts):
            raise VariantError("parts are study or backbone (a study without heads), and image_encoder; one at least.")
        if self.tasks != TASKS and "study" not in self.parts:
            raise VariantError("tasks go with the part study; the others have no heads.")
        if self.precision != "fp32" and not self.has_backbone:
            raise VariantError("the image encoder alone is always fp32; leave the precision out.")
        if not 1 <= self.clip_length <= MAX_CLIP_LENGTH:
            raise VariantError(f"a clip has 1 to {MAX_CLIP_LENGTH} frames, not {self.clip_length}.")

    @property
    def has_backbone(self) -> bool:
        """Whether videos are encoded, with heads or without."""
        return "study" in self.parts or "backbone" in self.parts

    @property
    def heads(self) -> tuple[Task, ...]:
        """Tasks whose heads the backbone has."""
        return self.tasks if "study" in self.parts else ()

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models of the repository."""
        encoder = ("image_encoder",) if "image_encoder" in self.parts else ()
        return (*STUDY_MODELS, *encoder) if self.has_backbone else encoder
