"""The choices of a request: which clips of a video, the framing of its frames, and what happens to a bad file."""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from panecho_preprocessing.constants import (
    CLIP_LENGTH,
    FRAME_STRIDE,
    MAX_CLIP_LENGTH,
    MAX_FRAME_RATE,
    MAX_FRAME_STRIDE,
    MAX_FRAMES,
    MAX_NUM_CLIPS,
    NUM_CLIPS,
)
from panecho_preprocessing.errors import InvalidRequestError

FramingName: TypeAlias = Literal["auto", "masked", "published", "tight", "whole"]
Mask: TypeAlias = Literal["published", "sector", "region", "none"]
Crop: TypeAlias = Literal["none", "region", "sector"]
Colour: TypeAlias = Literal["keep", "grey"]
OnError: TypeAlias = Literal["skip", "fail"]
DecodeScale: TypeAlias = Literal["full", "reduced"]


class FramingPolicy(NamedTuple):
    """What is shown of a frame.

    Attributes:
        mask: what is blacked out: what the published preparation blacks out, what lies outside the sector, what lies
            outside the header's region, or nothing.
        crop: what the frame is cropped to: nothing, the header's region, or the sector's bounding box.
        colour: whether colours stay, or each pixel becomes its first stored sample.
    """

    mask: Mask
    crop: Crop
    colour: Colour


FRAMINGS: Final[dict[str, FramingPolicy]] = {
    "masked": FramingPolicy("sector", "none", "keep"),
    "published": FramingPolicy("published", "none", "grey"),
    "tight": FramingPolicy("sector", "region", "keep"),
    "whole": FramingPolicy("none", "none", "keep"),
}

_LIMITS = {
    "num_clips": MAX_NUM_CLIPS,
    "clip_length": MAX_CLIP_LENGTH,
    "frame_stride": MAX_FRAME_STRIDE,
    "max_frames": MAX_FRAMES,
}
_RATES = ("frame_rate", "min_frame_rate")
_CHOICES: dict[str, tuple[str, ...]] = {
    "on_error": get_args(OnError),
    "framing": get_args(FramingName),
    "mask": get_args(Mask),
    "crop": get_args(Crop),
    "colour": get_args(Colour),
    "decode_scale": get_args(DecodeScale),
}

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

_OF_POSTPROCESSING = ("unusable_rows",)
"""Parameters of an ensemble's later step, which checks them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipOptions:
    """The choices of one request.

    Args:
        num_clips: clips taken from each video, evenly spaced.
        clip_length: frames in a clip.
        frame_stride: take every n-th frame of the video.
        frame_rate: resample each video to this frame rate first, frames per second, nearest frame; None takes its
            frames as they are, as the published model does.
        max_frames: make clips from the first frames of a video only, at most this many; None uses all. The published
            evaluation uses 100.
        min_frame_rate: refuse a DICOM whose header states fewer frames per second; None refuses none. The published
            preparation uses 25.
        framing: what the model sees of a frame, by name: FRAMINGS. "auto" is "masked" for DICOM, and "whole" for AVI
            and MP4, which arrive cropped and masked.
        mask: what is blacked out, instead of what `framing` says.
        crop: what the frame is cropped to, instead of what `framing` says.
        colour: whether colours stay, instead of what `framing` says.
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
    max_frames: int | None = None
    min_frame_rate: float | None = None
    framing: FramingName = "auto"
    mask: Mask | None = None
    crop: Crop | None = None
    colour: Colour | None = None
    decode_scale: DecodeScale = "full"
    key_frames: bool = False
    on_error: OnError = "skip"

    def __post_init__(self) -> None:
        """Check every value."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                _check(field.name, value)

    def policy(self, *, is_prepared: bool) -> FramingPolicy:
        """Return what is shown of a file's frames; `is_prepared` files, AVI and MP4, are whole unless asked."""
        name = ("whole" if is_prepared else "masked") if self.framing == "auto" else self.framing
        named = FRAMINGS[name]
        return FramingPolicy(self.mask or named.mask, self.crop or named.crop, self.colour or named.colour)

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
            _reject_unknown(parameter, [*names, *_OF_POSTPROCESSING])
        chosen = {name: parameters[name] for name in names if name in parameters}
        chosen |= {name: _whole_number(name, value) for name, value in chosen.items() if name in _LIMITS}
        chosen |= {name: _number(value) for name, value in chosen.items() if name in _RATES}
        if "key_frames" in chosen:
            chosen["key_frames"] = _truth(chosen["key_frames"])
        return cls(**chosen)  # type: ignore[arg-type]  # __post_init__ checks every value


def _check(name: str, value: object) -> None:
    if name in _LIMITS:
        _check_count(name, value)
    elif name in _CHOICES:
        _check_choice(name, value, _CHOICES[name])
    elif name in _RATES:
        _check_rate(name, value)
    elif not isinstance(value, bool):
        raise InvalidRequestError(f"{name}={_show(value)}: must be true or false")


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LIMITS[name]:
        raise InvalidRequestError(f"{name}={_show(value)}: must be a whole number from 1 to {_LIMITS[name]}")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        allowed = " or ".join(f'"{choice}"' for choice in choices)
        raise InvalidRequestError(f"{name}={_show(value)}: must be {allowed}")


def _check_rate(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= MAX_FRAME_RATE:
        raise InvalidRequestError(f"{name}={_show(value)}: must be frames per second, from 1 to {MAX_FRAME_RATE}")


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
