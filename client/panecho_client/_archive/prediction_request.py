"""What is predicted of every study."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from panecho_client._clip_options import ClipOptions, OnError
from panecho_client.outputs.reference_ranges import RangeTable


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """What to predict of every study.

    Attributes:
        tasks: Names of the tasks; None for all.
        clip_options: What the model is shown of each video.
        on_error: What to do about a file that cannot be used.
        key_frames: Whether reports to read show a frame of each video. Text burned into it may name the patient.
        ranges: Reference ranges of reports; None takes those of the guidelines.
    """

    tasks: Sequence[str] | None
    clip_options: ClipOptions
    on_error: OnError
    key_frames: bool
    ranges: RangeTable | None = field(default=None, repr=False)
