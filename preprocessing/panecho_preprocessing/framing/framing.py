"""What the model sees of a cine's frames: found once per cine, applied to every frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.constants import CROP, RESIZE
from panecho_preprocessing.frames import Box, Frame
from panecho_preprocessing.framing.published import find_outline, first_sample
from panecho_preprocessing.framing.resize import BORDER, resize, resize_and_crop
from panecho_preprocessing.framing.sector import find_sector
from panecho_preprocessing.options import FramingPolicy

_Pixel = TypeVar("_Pixel", bound=np.generic)

# The header's region is used when it contains nearly all of the sector found in the pixels: all of it on the
# cines tried, but 5 to 14 % where the coordinates are halved (GE, Acuson).
_CONTAINED: Final = 0.97

_OUTLINE_NOTE: Final = "the first frame shows no outline for the published mask: the sector is used instead"
_REGION_NOTE: Final = "no ultrasound sector is found: the header's region is used instead"
_NOTHING_NOTE: Final = "no ultrasound sector is found and the header names no region: nothing is {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """What the model sees of each frame of one cine.

    Attributes:
        box: the part of the frame to keep, None for all of it.
        mask: uint8 [224, 224], 255 where the cropped and resized frame is kept and 0 where it is blacked out; None to
            keep all.
        outline: uint8 of the frame's size, 255 where the frame is kept, before it is cropped and resized; None to keep
            all.
        is_grey: whether pixels become their first stored sample.
        is_rgb: whether that is red; else it is luma.
        note: what could not be done as requested, and what was done instead; empty if nothing.
    """

    box: Box | None = None
    mask: NDArray[np.uint8] | None = None
    outline: NDArray[np.uint8] | None = None
    is_grey: bool = False
    is_rgb: bool = False
    note: str = ""

    def reduced(self, factor: int) -> "Framing":
        """Return the framing of the same frames at `1 / factor` of their size, 2 or 4."""
        return replace(self, box=self.box and Box(*(edge // factor for edge in self.box)))

    def apply(self, frame: Frame) -> Frame:
        """Crop, resize and mask one frame; shapes as `resize_and_crop`."""
        kept = self._kept(frame)
        if self.mask is None:
            return resize_and_crop(kept)
        return _masked(resize_and_crop(kept, _around(self.mask)), self.mask)

    def apply_with_border(self, frame: Frame) -> Frame:
        """Do the same without the last crop: uint8 [256, 256, 1 or 3]; the mask goes on as it is at its edge."""
        whole = resize(self._kept(frame))
        return whole if self.mask is None else _masked(whole, np.pad(self.mask, BORDER, mode="edge"))

    def _kept(self, frame: Frame) -> Frame:
        """Return what is kept of a frame of its own size."""
        if self.is_grey:
            frame = first_sample(frame, is_rgb=self.is_rgb)
        if self.outline is not None:
            frame = np.asarray(cv2.copyTo(frame, self.outline), dtype=np.uint8)
        return frame if self.box is None else _cut(frame, self.box)


@dataclass(frozen=True, slots=True)
class _Found:
    """Where the image of a cine is.

    Attributes:
        shape: rows and columns of its frames.
        region: the header's region; the sector's bounding box if that lies outside it; None if neither is known.
        sector: bool of the frame's size; None if none was found.
    """

    shape: tuple[int, int]
    region: Box | None
    sector: NDArray[np.bool_] | None


def find_framing(probe: Sequence[Frame], region: Box | None, policy: FramingPolicy, *, is_rgb: bool = False) -> Framing:
    """Find the framing of a cine.

    Args:
        probe: 2 to 8 of its frames, the first one first, best spread over all of it; uint8 [height, width] or
            [height, width, 3]. May be empty if the policy neither masks nor crops.
        region: the part of the frame that its header calls image; None where it names none.
        policy: what is blacked out, what is cropped, and whether colours stay. What cannot be found is replaced, and
            the note says so: the published outline by the sector, a sector by the region, and a region by the sector.
        is_rgb: whether the file stores red, green and blue; else luma comes first.
    """
    plain = Framing(is_grey=policy.colour == "grey", is_rgb=is_rgb)
    if not probe or (policy.mask, policy.crop) == ("none", "none"):
        return plain
    outline, note = None, ""
    if policy.mask == "published":
        outline = find_outline(first_sample(probe[0], is_rgb=is_rgb))
        if outline is None:
            note = _OUTLINE_NOTE
            policy = policy._replace(mask="sector")
    found = _find(probe, region, policy)
    box, crop_note = _box(found, policy)
    mask, mask_note = _mask(found, policy, box)
    notes = "; ".join(filter(None, (note, mask_note, crop_note)))
    return replace(plain, box=box, mask=mask, outline=outline, note=notes)


def _find(probe: Sequence[Frame], region: Box | None, policy: FramingPolicy) -> _Found:
    """Find the image, as far as the policy needs it."""
    needs_sector = not {"sector", "region"}.isdisjoint((policy.mask, policy.crop))
    sector = find_sector(probe) if needs_sector else None
    if sector is not None and not (region and _contains(region, sector)):
        region = _around(sector.view(np.uint8))
    rows, columns = probe[0].shape[:2]
    return _Found((rows, columns), region, sector)


def _box(found: _Found, policy: FramingPolicy) -> tuple[Box | None, str]:
    """Return what the frame is cropped to, and what the note says about it."""
    if policy.crop == "none":
        return None, ""
    image = found.region
    if policy.crop == "sector" and found.sector is not None:
        image = _around(found.sector.view(np.uint8))
    return image and _with_border(image, *found.shape), "" if image else _NOTHING_NOTE.format("cropped")


def _mask(found: _Found, policy: FramingPolicy, box: Box | None) -> tuple[NDArray[np.uint8] | None, str]:
    """Return the mask of the cropped and resized frame, and what the note says about it."""
    if policy.mask in ("none", "published"):
        return None, ""
    if policy.mask == "sector" and found.sector is not None:
        return _prepared(found.sector, box), ""
    if found.region is None:
        return None, _NOTHING_NOTE.format("blacked out")
    note = _REGION_NOTE if policy.mask == "sector" else ""
    if policy.crop == "region":  # what the mask would take is cropped away
        return None, note
    inside = np.zeros(found.shape, np.bool_)
    _cut(inside, found.region)[:] = True
    return _prepared(inside, box), note


def _masked(image: Frame, mask: NDArray[np.uint8]) -> Frame:
    return np.asarray(cv2.copyTo(image, mask), dtype=np.uint8).reshape(image.shape)  # what it leaves out is 0


def _cut(image: NDArray[_Pixel], box: Box) -> NDArray[_Pixel]:
    return image[box.top : box.bottom, box.left : box.right]


def _contains(box: Box, sector: NDArray[np.bool_]) -> bool:
    return bool(np.count_nonzero(_cut(sector, box)) >= _CONTAINED * np.count_nonzero(sector))


def _around(image: NDArray[np.uint8]) -> Box:
    left, top, width, height = cv2.boundingRect(image)
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


def _prepared(kept: NDArray[np.bool_], box: Box | None) -> NDArray[np.uint8]:
    """Crop and resize what is kept as the frames are, and keep the pixels that are mostly inside."""
    cropped = kept if box is None else _cut(kept, box)
    resized = resize_and_crop(cropped.astype(np.uint8) * np.uint8(255))[..., 0]
    return np.where(resized >= 128, 255, 0).astype(np.uint8)
