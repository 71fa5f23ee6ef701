"""Finds the ultrasound image in a cine by its motion: text, scales and logos stand still.

The size of the sampled frames, the thresholds and the disks below were chosen on the cines of docs/guide/framing.md.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.frames import Frame

Pixels: TypeAlias = NDArray[np.uint8]

# Every n-th row and column is sampled, so that at most this many remain. The model sees 224 x 224 pixels, so a finer
# edge would be lost.
_SAMPLED_SIZE: Final = 256

# Below this the disks are as large as the image.
_SMALLEST: Final = 32

# A change is 2 grey levels or more: standing text in JPEG frames does not change at all, and the faint edge of a sector
# has levels of 2 to 8 (SonoSite, GE).
_CHANGE: Final = 2
# JPEG rings in blocks of 16 x 16 pixels around what is bright: a moving ECG makes all of its surroundings change. Less
# than a sixteenth of the largest change within the reach, in sampled pixels, is ringing.
_RINGING: Final = 16
_RINGING_REACH: Final = 11
# Of the 7 changes between 8 frames a moving pixel shows 2 or more. Most of a sector shows 5 to 7,
# its darkest corners 2 or 3; what appears once, such as a label, shows 1.
_CHANGES_PER_STEP: Final = 0.3

# Diameters in sampled pixels. Sparse speckle is closed up, then thin things are removed: ECG, cursors, changing digits,
# the places where the sector nearly touches a banner. That rounds off the corners of the sector, so moving pixels close
# to it are added again.
_GAP: Final = 5
_THIN: Final = 9
_CORNER: Final = 7

# Burned-in text is brighter than this. Letters and words closer than _GAP are one piece.
_TEXT: Final = 60

# A split screen shows two sectors of about the same size.
_SECOND_SECTOR: Final = 0.5

# The sectors of the cines tried cover 32 to 41 % of the frame. Over 80 % the frame is all image, or all noise.
_LEAST_COVER: Final = 0.05
_MOST_COVER: Final = 0.8


def find_sector(frames: Sequence[Frame]) -> NDArray[np.bool_] | None:
    """Find the sector of one cine: the convex hull of the largest area that moves, less the text that reaches into it.

    Args:
        frames: 2 to 8 frames of the cine, best spread over all of it; uint8 [height, width] or [height, width, 3].

    Returns:
        bool [height, width], True inside the sector, the same for all frames; None when it cannot be found, because
        nothing moves, everything moves, or too little moves.
    """
    shapes = {frame.shape[:2] for frame in frames}
    if len(frames) < 2 or len(shapes) != 1 or min(min(shapes)) < _SMALLEST:
        return None
    rows, columns = frames[0].shape[:2]
    step = -(-max(rows, columns) // _SAMPLED_SIZE)
    sampled = [_sampled(frame, step) for frame in frames]
    changes = _changes(sampled)
    hulls = _hulls(changes >= max(1, round(_CHANGES_PER_STEP * (len(frames) - 1))))
    text = _text_reaching_in((changes == 0) & (sampled[0] > _TEXT), _filled(hulls, changes.shape))
    sector = _filled([hull * step + step // 2 for hull in hulls], (rows, columns))
    sector[cv2.resize(text, (columns, rows), interpolation=cv2.INTER_NEAREST) > 0] = 0
    cover = cv2.countNonZero(sector) / sector.size
    return sector.astype(np.bool_) if _LEAST_COVER <= cover <= _MOST_COVER else None


def _sampled(frame: Frame, step: int) -> Pixels:
    """Take every step-th pixel, the brightest of its channels: colour flow may be dark in any one of them."""
    sampled = frame[step // 2 :: step, step // 2 :: step]
    if sampled.ndim == 2:
        return np.ascontiguousarray(sampled)
    return np.maximum(np.maximum(sampled[..., 0], sampled[..., 1]), sampled[..., 2])


def _changes(frames: Sequence[Pixels]) -> Pixels:
    """Count at each pixel how often it differs from the frame before by more than changes close by explain."""
    differences = [np.asarray(cv2.absdiff(before, after)) for before, after in pairwise(frames)]
    close_by = cv2.dilate(reduce(np.maximum, differences), np.ones((_RINGING_REACH, _RINGING_REACH), dtype=np.uint8))
    least = np.maximum(np.asarray(close_by) // _RINGING, _CHANGE)
    changes = np.zeros_like(frames[0])
    for difference in differences:
        changes += difference >= least
    return changes


def _hulls(moving: NDArray[np.bool_]) -> list[NDArray[np.int32]]:
    """Return the hull of the largest moving area, and of any nearly as large: int32 [n, 1, 2], x and y."""
    dense = cv2.medianBlur(moving.view(np.uint8), 3)
    closed = cv2.morphologyEx(dense, cv2.MORPH_CLOSE, _disk(_GAP))
    labels, areas = _areas(np.asarray(cv2.morphologyEx(closed, cv2.MORPH_OPEN, _disk(_THIN)), dtype=np.uint8))
    large = [label for label, area in enumerate(areas.tolist()) if area > 0 and area >= _SECOND_SECTOR * areas.max()]
    hulls = []
    for label in large:
        area = (labels == label).view(np.uint8)
        corners = cv2.bitwise_and(dense, cv2.dilate(area, _disk(_CORNER)))
        points = cv2.findNonZero(cv2.bitwise_or(area, corners))
        hulls.append(np.asarray(cv2.convexHull(points), dtype=np.int32))
    return hulls


def _text_reaching_in(still: NDArray[np.bool_], sector: Pixels) -> Pixels:
    """Return 1 at the bright, still things that lie mostly outside, and at the pixels around them.

    Callipers and the frame of a colour box stand still too, but lie inside.
    """
    labels, areas = _areas(
        np.asarray(cv2.morphologyEx(still.view(np.uint8), cv2.MORPH_CLOSE, _disk(_GAP)), dtype=np.uint8)
    )
    inside = np.bincount(labels[sector > 0], minlength=len(areas))
    outside = (2 * inside < areas)[labels]
    return np.asarray(cv2.dilate(outside.view(np.uint8), _disk(3)), dtype=np.uint8)


def _areas(image: Pixels) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Number the connected areas of an image from 1; return each pixel's number and each number's size, 0 for 0."""
    _, labels, measures, _ = cv2.connectedComponentsWithStats(image, ltype=cv2.CV_32S)
    sizes = np.asarray(measures[:, cv2.CC_STAT_AREA], dtype=np.int32)
    sizes[0] = 0
    return np.asarray(labels, dtype=np.int32), sizes


def _disk(size: int) -> Pixels:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), dtype=np.uint8)


def _filled(polygons: Sequence[NDArray[np.int32]], shape: tuple[int, ...]) -> Pixels:
    image = np.zeros(shape, dtype=np.uint8)
    for polygon in polygons:
        cv2.fillConvexPoly(image, polygon, (1,))
    return image
