"""The mask of the published preparation: the periphery, and what lies outside the first frame's outline.

Public steps of the authors' pipeline (docs/guide/framing.md): rows and columns before 10 % and from 95 % on are blacked
out; then the convex hull of the largest contour of the first frame is kept, the same for all frames.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.frames import Frame

# Percent of the rows and columns.
_FIRST: Final = 10
_LAST: Final = 95

# As in sector.py: a hull smaller than this is noise or a letter, and no image would be left.
_LEAST_COVER: Final = 0.05


def first_sample(frame: Frame, *, is_rgb: bool) -> Frame:
    """Return what the file stores first of each pixel: uint8 [height, width], red of RGB, else luma; grey as it is."""
    if frame.ndim == 2:
        return frame
    if is_rgb:
        return np.ascontiguousarray(frame[..., 2])
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def periphery(rows: int, columns: int) -> NDArray[np.uint8]:
    """Return uint8 [rows, columns], 255 in the middle and 0 in the periphery."""
    middle = np.zeros((rows, columns), np.uint8)
    middle[rows * _FIRST // 100 : rows * _LAST // 100, columns * _FIRST // 100 : columns * _LAST // 100] = 255
    return middle


def find_outline(first: Frame) -> NDArray[np.uint8] | None:
    """Find what the published preparation keeps of all frames of a cine.

    Args:
        first: the first frame's first samples, uint8 [height, width].

    Returns:
        uint8 [height, width], 255 where pixels are kept; None if that is less than 5 % of the frame, as when the first
        frame is black or holds noise alone.
    """
    middle = periphery(*first.shape)
    shown = np.asarray(cv2.bitwise_and(first, middle))
    contours, _ = cv2.findContours((shown > 0).view(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return None
    hull = np.zeros_like(middle)
    cv2.drawContours(hull, [cv2.convexHull(max(contours, key=cv2.contourArea))], -1, (255,), cv2.FILLED)
    kept = np.asarray(cv2.bitwise_and(hull, middle), dtype=np.uint8)
    return kept if cv2.countNonZero(kept) >= _LEAST_COVER * kept.size else None
