"""The crop and mask of a cine's frames: found once per cine, applied to every frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.constants import CROP, RESIZE
from panecho_preprocessing.frames import Box, Frame
from panecho_preprocessing.framing.resize import resize_and_crop
from panecho_preprocessing.framing.sector import find_sector
from panecho_preprocessing.options import Mask

_Pixel = TypeVar("_Pixel", bound=np.generic)

# The header's region is used when it contains nearly all of the sector found in the pixels: all of it on the
# cines tried, but 5 to 14 % where the coordinates are halved (GE, Acuson).
_CONTAINED: Final = 0.97


@dataclass(frozen=True, slots=True)
class Framing:
    """The part of each frame of one cine that the model sees.

    Attributes:
        box: the part of the frame to keep, None for all of it.
        mask: uint8 [224, 224], 255 where the cropped and resized frame is kept and 0 where it is blacked out; None to
            keep all.
    """

    box: Box | None
    mask: NDArray[np.uint8] | None

    def reduced(self, factor: int) -> "Framing":
        """Return the framing of the same frames at `1 / factor` of their size, 2 or 4."""
        return Framing(self.box and Box(*(edge // factor for edge in self.box)), self.mask)

    def apply(self, frame: Frame) -> Frame:
        """Crop, resize and mask one frame; shapes as `resize_and_crop`."""
        seen = resize_and_crop(frame if self.box is None else _cut(frame, self.box))
        if self.mask is None:
            return seen
        return np.asarray(cv2.bitwise_and(seen, seen, mask=self.mask), dtype=np.uint8).reshape(seen.shape)


def find_framing(probe: Sequence[Frame], region: Box | None, policy: Mask) -> Framing:
    """Find the framing of a cine.

    Args:
        probe: 2 to 8 of its frames, best spread over all of it; uint8 [height, width] or [height, width, 3].
        region: the part of the frame that its header calls image; None where it names none.
        policy: "auto" crops to the image and blacks out what is not ultrasound; "region" crops to the header's region;
            "none" keeps the whole frame. Without a region "region" means "none"; without a sector "auto" means
            "region".
    """
    if policy == "none" or not probe:
        return Framing(None, None)
    rows, columns = probe[0].shape[:2]
    sector = find_sector(probe) if policy == "auto" else None
    if sector is None:
        return Framing(region and _with_border(region, rows, columns), None)
    tight = region if region and _contains(region, sector) else _around(sector)
    box = _with_border(tight, rows, columns)
    return Framing(box, _prepared(_cut(sector, box)))


def _cut(image: NDArray[_Pixel], box: Box) -> NDArray[_Pixel]:
    return image[box.top : box.bottom, box.left : box.right]


def _contains(box: Box, sector: NDArray[np.bool_]) -> bool:
    return bool(np.count_nonzero(_cut(sector, box)) >= _CONTAINED * np.count_nonzero(sector))


def _around(sector: NDArray[np.bool_]) -> Box:
    left, top, width, height = cv2.boundingRect(sector.view(np.uint8))
    return Box(top, top + height, left, left + width)


def _with_border(box: Box, rows: int, columns: int) -> Box:
    """Widen the box, where the image allows, by what the crop from 256 to 224 pixels then takes away again.

    Edges are multiples of 4, so that they are the same pixels in a frame decoded at half or a quarter of its size.
    """
    vertical = round(box.height * (RESIZE / CROP - 1) / 2)
    horizontal = round(box.width * (RESIZE / CROP - 1) / 2)
    return Box(
        top=max(0, (box.top - vertical) // 4 * 4),
        bottom=min(rows, -(-(box.bottom + vertical) // 4) * 4),
        left=max(0, (box.left - horizontal) // 4 * 4),
        right=min(columns, -(-(box.right + horizontal) // 4) * 4),
    )


def _prepared(sector: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Resize the sector as the frames are, and keep the pixels that are mostly sector."""
    resized = resize_and_crop(sector.astype(np.uint8) * np.uint8(255))[..., 0]
    return np.where(resized >= 128, 255, 0).astype(np.uint8)
