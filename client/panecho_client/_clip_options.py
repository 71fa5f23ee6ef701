"""What the server shows the model of each video."""

from dataclasses import dataclass, fields
from numbers import Integral
from typing import Literal

from panecho_client._exceptions import RequestError

OnError = Literal["skip", "fail"]
Framing = Literal["auto", "masked", "published", "tight", "whole"]
Mask = Literal["published", "sector", "region", "none"]
Crop = Literal["none", "region", "sector"]
Colour = Literal["keep", "grey"]
DecodeScale = Literal["full", "reduced"]


@dataclass(frozen=True, kw_only=True)
class ClipOptions:
    """What the server shows the model of each video, as request parameters.

    Attributes:
        num_clips: Clips taken from each video.
        clip_length: Frames of a clip. Default: as the model was exported, usually 16.
        frame_stride: A clip takes every nth frame.
        frame_rate: Resample each video to this frame rate first, in frames per second. Default: keep all frames.
        max_frames: Make clips from the first frames of a video only, at most this many. Default: all.
        min_frame_rate: Skip a DICOM whose header states fewer frames per second. Default: skip none.
        framing: What the model sees of a frame: the ultrasound sector at its place in the frame (masked), what the
            published preparation leaves (published), the sector cropped (tight), or all (whole). auto is masked for
            DICOM, and whole for AVI and MP4.
        mask: What is blacked out, instead of what framing says: what the published preparation blacks out, what lies
            outside the sector, outside the header's region, or nothing.
        crop: What frames are cropped to, instead of what framing says: nothing, the header's region, or the sector.
        colour: Whether colours stay, or pixels become grey, instead of what framing says.
        decode_scale: reduced decodes large JPEG frames at a fraction of their size, which is faster.

    Raises:
        RequestError: A number is below 1.
    """

    num_clips: int = 4
    clip_length: int | None = None
    frame_stride: int = 1
    frame_rate: float | None = None
    max_frames: int | None = None
    min_frame_rate: float | None = None
    framing: Framing = "auto"
    mask: Mask | None = None
    crop: Crop | None = None
    colour: Colour | None = None
    decode_scale: DecodeScale = "full"

    def __post_init__(self) -> None:
        """Refuse what no server accepts; upper limits are the server's to know."""
        for name in ("num_clips", "clip_length", "frame_stride", "max_frames"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise RequestError(f"{name} is {value}; it must be 1 or more.")

    def parameters(self, on_error: OnError) -> dict[str, int | str]:
        """Return Triton's request parameters, which are whole numbers and texts: every choice but those left open.

        Whatever records how clips are made records these.
        """
        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        sent = {name: _sendable(value) for name, value in chosen.items() if value is not None}
        return {**sent, "on_error": on_error}


def _sendable(value: float | str) -> int | str:
    return int(value) if isinstance(value, Integral) else str(value)
