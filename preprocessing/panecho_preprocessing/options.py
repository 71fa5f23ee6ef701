"""The choices of a request: which clips of a video, the mask of its frames, and what happens to a bad file."""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias, get_args

from panecho_preprocessing.constants import (
    CLIP_LENGTH,
    FRAME_STRIDE,
    MAX_CLIP_LENGTH,
    MAX_FRAME_RATE,
    MAX_FRAME_STRIDE,
    MAX_NUM_CLIPS,
    NUM_CLIPS,
)
from panecho_preprocessing.errors import InvalidRequestError

Mask: TypeAlias = Literal["auto", "region", "none"]
OnError: TypeAlias = Literal["skip", "fail"]
DecodeScale: TypeAlias = Literal["full", "reduced"]

_LIMITS = {"num_clips": MAX_NUM_CLIPS, "clip_length": MAX_CLIP_LENGTH, "frame_stride": MAX_FRAME_STRIDE}
_CHOICES = {"on_error": get_args(OnError), "mask": get_args(Mask), "decode_scale": get_args(DecodeScale)}


# Parameters that Triton's protocol extensions, and its HTTP endpoint, add to a request.
_TRITONS = {
    "binary_data_output",
    "classification",
    "headers",
    "priority",
    "sequence_end",
    "sequence_id",
    "sequence_start",
    "timeout",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipOptions:
    """The choices of one request.

    Args:
        num_clips: clips taken from each video, evenly spaced.
        clip_length: frames in a clip.
        frame_stride: take every n-th frame of the video.
        frame_rate: resample each video to this frame rate first, frames per second, nearest frame; None takes its
            frames as they are, as the published model does.
        mask: the part of a DICOM's frames that the model sees: the sector ("auto"), the header's region ("region") or
            all ("none"). AVI and MP4 are taken as they are.
        decode_scale: decode large JPEG frames at half or a quarter of their size ("reduced") where 256 pixels a side
            remain of the visible part: about twice as fast, and half a grey level off on average.
        key_frames: also return one frame of each video, to show to people.
        on_error: skip a file that cannot be used ("skip") or refuse the request ("fail").

    Raises:
        InvalidRequestError: a value is of the wrong type or out of range.
    """

    num_clips: int = NUM_CLIPS
    clip_length: int = CLIP_LENGTH
    frame_stride: int = FRAME_STRIDE
    frame_rate: float | None = None
    mask: Mask = "auto"
    decode_scale: DecodeScale = "full"
    key_frames: bool = False
    on_error: OnError = "skip"

    def __post_init__(self) -> None:
        """Check every value."""
        for name in _LIMITS:
            _check_count(name, getattr(self, name))
        for name, choices in _CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        _check_frame_rate(self.frame_rate)
        if not isinstance(self.key_frames, bool):
            raise InvalidRequestError(f"key_frames={_show(self.key_frames)}: must be true or false")

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, object]) -> "ClipOptions":
        """Read the options from a request's parameters; Triton's own are ignored.

        Args:
            parameters: name to value, as sent: whole numbers may also come as "4" or 4.0, true as "true" or 1.

        Raises:
            InvalidRequestError: a value is wrong, or a name is neither an option nor one of Triton's.
        """
        names = [field.name for field in fields(cls)]
        for parameter in parameters:
            _reject_unknown(parameter, names)
        chosen = {name: parameters[name] for name in names if name in parameters}
        chosen |= {name: _whole_number(name, value) for name, value in chosen.items() if name in _LIMITS}
        if "frame_rate" in chosen:
            chosen["frame_rate"] = _number(chosen["frame_rate"])
        if "key_frames" in chosen:
            chosen["key_frames"] = _truth(chosen["key_frames"])
        return cls(**chosen)  # type: ignore[arg-type]  # __post_init__ checks every value


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LIMITS[name]:
        raise InvalidRequestError(f"{name}={_show(value)}: must be a whole number from 1 to {_LIMITS[name]}")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        allowed = " or ".join(f'"{choice}"' for choice in choices)
        raise InvalidRequestError(f"{name}={_show(value)}: must be {allowed}")


def _check_frame_rate(value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= MAX_FRAME_RATE:
        raise InvalidRequestError(f"frame_rate={_show(value)}: must be frames per second, from 1 to {MAX_FRAME_RATE}")


def _number(value: object) -> object:
    """Convert the text of a number; anything else is left for the check."""
    try:
        return float(value) if isinstance(value, str) and math.isfinite(float(value)) else value
    except ValueError:
        return value


def _truth(value: object) -> object:
    """Convert the usual ways to send true and false; anything else is left for the check."""
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower(), value)


def _whole_number(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,9}", value.strip(), re.ASCII):
        return int(value)
    raise InvalidRequestError(f"{name}={_show(value)}: must be a whole number from 1 to {_LIMITS[name]}")


def _reject_unknown(parameter: str, names: list[str]) -> None:
    if parameter in names or parameter in _TRITONS or parameter.startswith("triton_"):
        return
    close = difflib.get_close_matches(parameter.lower(), names, n=1, cutoff=0.8)
    meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
    raise InvalidRequestError(f"unknown parameter {_show(parameter)}: {meant}")


def _show(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."
