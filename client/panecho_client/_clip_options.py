"""What the server shows the model of each video."""

from dataclasses import dataclass
from typing import Literal

from panecho_client._exceptions import RequestError

OnError = Literal["skip", "fail"]
Mask = Literal["auto", "region", "none"]
DecodeScale = Literal["full", "reduced"]


@dataclass(frozen=True, kw_only=True)
class ClipOptions:
    """What the server shows the model of each video, as request parameters.

    Attributes:
        num_clips: Clips taken from each video.
        clip_length: Frames of a clip. Default: as the model was exported, usually 16.
        frame_stride: A clip takes every nth frame.
        frame_rate: Resample each video to this frame rate first, in frames per second. Default: keep all frames.
        mask: Part of a DICOM's frames that the model sees: the ultrasound sector (auto), the header's region, or all
            (none).
        decode_scale: reduced decodes large JPEG frames at a fraction of their size, which is faster.

    Raises:
        RequestError: A number is below 1.
    """

    num_clips: int = 4
    clip_length: int | None = None
    frame_stride: int = 1
    frame_rate: float | None = None
    mask: Mask = "auto"
    decode_scale: DecodeScale = "full"

    def __post_init__(self) -> None:
        """Refuse what no server accepts; upper limits are the server's to know."""
        for name in ("num_clips", "clip_length", "frame_stride"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise RequestError(f"{name} is {value}; it must be 1 or more.")

    def parameters(self, on_error: OnError) -> dict[str, int | str]:
        """Return Triton's request parameters, which are whole numbers and texts."""
        length = {} if self.clip_length is None else {"clip_length": int(self.clip_length)}
        rate = {} if self.frame_rate is None else {"frame_rate": str(self.frame_rate)}
        return {
            "num_clips": int(self.num_clips),
            **length,
            "frame_stride": int(self.frame_stride),
            **rate,
            "mask": self.mask,
            "decode_scale": self.decode_scale,
            "on_error": on_error,
        }
