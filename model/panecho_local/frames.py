"""Clips from frames that a caller has decoded, prepared as PanEcho's own loaders do."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from panecho_model.architecture import normalisation
from panecho_model.errors import InputError
from panecho_preprocessing import ClipOptions
from panecho_preprocessing.clips import PROBE
from panecho_preprocessing.framing.framing import Framing, find_framing
from panecho_preprocessing.sampling import clip_frames

ChannelOrder = Literal["RGB", "BGR"]


def clips_of_frames(
    frames: NDArray[np.uint8], *, options: ClipOptions | None = None, channel_order: ChannelOrder = "RGB"
) -> NDArray[np.uint8]:
    """Return clips of a video's frames, UINT8 [K, T, 224, 224, 3], as a server's ``backbone`` takes them.

    Frames are resized to 256 x 256 (INTER_AREA, aspect ratio not kept) and cropped to the middle 224 x 224;
    the whole frame is shown unless the options choose a framing. Clips are evenly spaced; a video shorter than a clip
    repeats its last frame.

    Args:
        frames: UINT8 [T, H, W] grey, or [T, H, W, 3], of any size.
        options: How clips are made; ``frame_rate`` needs a file's times and is refused. ``colour="grey"`` takes red of
            RGB frames and luma of BGR frames.
        channel_order: Order of the channels of colour frames.

    Raises:
        InputError: The frames are of another type or shape, or there is none.
    """
    options = options or ClipOptions()
    frames = _checked(frames)
    if options.frame_rate is not None:
        raise InputError(f"frame_rate is {options.frame_rate:g}; frames have no times: resample them before.")
    if frames.ndim == 4 and channel_order == "RGB":
        frames = frames[..., ::-1]
    indices = clip_frames(len(frames), options)
    used, places = np.unique(indices, return_inverse=True)
    framing = _framing(frames, options, channel_order)
    prepared = np.stack([framing.apply(np.ascontiguousarray(frames[index])) for index in used])
    clips = prepared[places.reshape(indices.shape)]
    coloured: NDArray[np.uint8] = clips.repeat(3, axis=-1) if clips.shape[-1] == 1 else clips
    return coloured


def normalised_clips(
    frames: NDArray[np.uint8], *, options: ClipOptions | None = None, channel_order: ChannelOrder = "RGB"
) -> Tensor:
    """Return the same clips as the published module takes them, FP32 [K, 3, T, 224, 224]; see ``clips_of_frames``."""
    clips = torch.from_numpy(clips_of_frames(frames, options=options, channel_order=channel_order))
    scale, shift = normalisation()
    return (clips * scale + shift).permute(0, 4, 1, 2, 3).contiguous()


def _framing(frames: NDArray[np.uint8], options: ClipOptions, channel_order: ChannelOrder) -> Framing:
    """Find what the options show of the frames, as of a file without a header."""
    spread = np.unique(np.linspace(0, len(frames) - 1, PROBE).round().astype(int))
    probe = [np.ascontiguousarray(frames[index]) for index in spread]
    return find_framing(probe, None, options.policy(is_prepared=True), is_rgb=channel_order == "RGB")


def _checked(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    frames = np.asarray(frames)
    fits = frames.ndim == 3 or (frames.ndim == 4 and frames.shape[3] == 3)
    if not fits or frames.dtype != np.uint8 or frames.size == 0:
        raise InputError(
            f"frames are {frames.dtype} {list(frames.shape)}; give uint8 [T, H, W] (grey) or [T, H, W, 3] (colour)."
        )
    return frames
