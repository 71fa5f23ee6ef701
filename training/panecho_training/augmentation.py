"""The published augmentation of a clip: the canvas grows, a window is cut at random, mirrored, turned.

All frames of a clip are treated alike. The window keeps the scale of the heart: a larger canvas only lets it move
further.
"""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing import CROP, RESIZE

__all__ = ["Augmentation"]

LARGEST_CANVAS = 1.2
PROBABILITY = 0.5
LARGEST_ANGLE = 15.0
"""Degrees, either way."""

Frames = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What happens to every frame of one clip.

    Attributes:
        top: First row of the window in the frame of 256 pixels; may be outside, where it is black.
        left: First column.
        mirrored: Whether left and right are exchanged.
        angle: Degrees by which the window is turned about its centre, nearest pixel, black outside.
    """

    top: int
    left: int
    mirrored: bool
    angle: float

    @classmethod
    def draw(cls, random: np.random.Generator) -> Self:
        """Return one by chance: canvas 1 to 1.2 times as large and mirrored with probability 0.5 each, ±15 degrees."""
        grown = random.random() < PROBABILITY
        canvas = int(RESIZE * random.uniform(1, LARGEST_CANVAS)) if grown else RESIZE
        above, before = (int((canvas - RESIZE) * random.random()) for _ in range(2))
        top, left = (int(random.integers(canvas - CROP + 1)) for _ in range(2))
        return cls(
            top=top - above,
            left=left - before,
            mirrored=bool(random.random() < PROBABILITY),
            angle=float(random.uniform(-LARGEST_ANGLE, LARGEST_ANGLE)),
        )

    @classmethod
    def none(cls) -> Self:
        """Return the one that leaves a clip as it is served: its middle 224 pixels."""
        border = (RESIZE - CROP) // 2
        return cls(top=border, left=border, mirrored=False, angle=0.0)

    def apply(self, frames: Frames) -> Frames:
        """Return the window of each frame, uint8 [T, 224, 224, C], of frames uint8 [T, 256, 256, C]."""
        return np.stack([self._window(frame) for frame in frames])

    def _window(self, frame: Frames) -> Frames:
        window = np.zeros((CROP, CROP, frame.shape[2]), np.uint8)
        rows, columns = _overlap(self.top), _overlap(self.left)
        window[_shifted(rows, -self.top), _shifted(columns, -self.left)] = frame[rows, columns]
        if self.mirrored:
            window = np.ascontiguousarray(window[:, ::-1])
        if self.angle:
            centre = (CROP - 1) / 2
            turn = cv2.getRotationMatrix2D((centre, centre), self.angle, 1)
            window = np.asarray(cv2.warpAffine(window, turn, (CROP, CROP), flags=cv2.INTER_NEAREST), dtype=np.uint8)
        return window.reshape(CROP, CROP, -1)


def _overlap(start: int) -> slice:
    return slice(max(start, 0), max(min(start + CROP, RESIZE), 0))


def _shifted(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)
