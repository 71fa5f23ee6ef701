"""Resizes and crops a decoded frame to the size that the model takes."""

from math import gcd

import cv2
import numpy as np

from panecho_preprocessing.constants import CHANNEL_ORDER, CROP, RESIZE
from panecho_preprocessing.frames import Box, Frame

BORDER = (RESIZE - CROP) // 2
_INSIDE = slice(BORDER, BORDER + CROP)


def resize_and_crop(frame: Frame, needed: Box | None = None) -> Frame:
    """Resize to 256 x 256 (INTER_AREA, aspect ratio not kept) and keep the middle 224 x 224.

    Args:
        frame: uint8 [height, width] grey, or [height, width, 3] in BGR order.
        needed: the part of the result that is needed, None for all of it; pixels outside it may be 0, which is faster.

    Returns:
        uint8 [224, 224, 1] for a grey frame, which is resized once and not three times; else uint8 [224, 224, 3] in
        CHANNEL_ORDER.
    """
    resized = _resized(frame) if needed is None else _resized_part(frame, needed)
    return _with_channels(resized[_INSIDE, _INSIDE])


def resize(frame: Frame) -> Frame:
    """Resize as `resize_and_crop`, and keep the border: uint8 [256, 256, 1 or 3]."""
    return _with_channels(_resized(frame))


def _with_channels(frame: Frame) -> Frame:
    if frame.ndim == 2:
        return frame[..., None]
    return frame if CHANNEL_ORDER == "BGR" else frame[..., ::-1]


def _resized(frame: Frame) -> Frame:
    return np.asarray(cv2.resize(frame, (RESIZE, RESIZE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _resized_part(frame: Frame, needed: Box) -> Frame:
    """Resize the part needed alone: the same pixels there, and 0 elsewhere."""
    if min(frame.shape[:2]) < RESIZE:  # enlarging takes pixels across the edges of a part
        return _resized(frame)
    rows, from_rows = _aligned(needed.top, needed.bottom, frame.shape[0])
    columns, from_columns = _aligned(needed.left, needed.right, frame.shape[1])
    size = columns.stop - columns.start, rows.stop - rows.start
    resized = np.zeros((RESIZE, RESIZE, *frame.shape[2:]), np.uint8)
    resized[rows, columns] = cv2.resize(frame[from_rows, from_columns], size, interpolation=cv2.INTER_AREA)
    return resized


def _aligned(first: int, last: int, length: int) -> tuple[slice, slice]:
    """Widen a part of the 224 pixels to where pixels of the 256, and of the frame's `length`, start together.

    Returns:
        The part of the 256 pixels, and that of the frame.
    """
    parts = gcd(length, RESIZE)
    to, of = RESIZE // parts, length // parts
    start, stop = (first + BORDER) // to, -(-(last + BORDER) // to)
    return slice(start * to, stop * to), slice(start * of, stop * of)
