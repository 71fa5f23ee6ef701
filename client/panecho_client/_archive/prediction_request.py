"""What is predicted of every study."""

from collections.abc import Sequence
from dataclasses import dataclass

from panecho_client._clip_options import ClipOptions, OnError


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """What to predict of every study.

    Attributes:
        tasks: Names of the tasks; None for all.
        clip_options: What the model is shown of each video.
        on_error: What to do about a file that cannot be used.
        key_frames: Whether reports to read show a frame of each video. Text burned into it may name the patient.
    """

    tasks: Sequence[str] | None
    clip_options: ClipOptions
    on_error: OnError
    key_frames: bool
