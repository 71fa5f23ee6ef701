"""Resizes and crops a decoded frame to the size that the model takes."""

import cv2
import numpy as np

from panecho_preprocessing.constants import CHANNEL_ORDER, CROP, RESIZE
from panecho_preprocessing.frames import Frame

_BORDER = (RESIZE - CROP) // 2
_INSIDE = slice(_BORDER, _BORDER + CROP)


def resize_and_crop(frame: Frame) -> Frame:
    """Resize to 256 x 256 (INTER_AREA, aspect ratio not kept) and keep the middle 224 x 224.

    Args:
        frame: uint8 [height, width] grey, or [height, width, 3] in BGR order.

    Returns:
        uint8 [224, 224, 1] for a grey frame, which is resized once and not three times; else uint8 [224, 224, 3] in
        CHANNEL_ORDER.
    """
    resized = cv2.resize(frame, (RESIZE, RESIZE), interpolation=cv2.INTER_AREA)
    cropped = np.asarray(resized, dtype=np.uint8)[_INSIDE, _INSIDE]
    if cropped.ndim == 2:
        return cropped[..., None]
    return cropped if CHANNEL_ORDER == "BGR" else cropped[..., ::-1]
