"""The header's ultrasound regions: SequenceOfUltrasoundRegions (DICOM PS3.3 C.8.5.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from pydicom import Dataset

from panecho_preprocessing.frames import Box

# Files seen hold one to three regions; a broken or hostile one must not cost more.
MAX_REGIONS: Final = 64

# RegionSpatialFormat (C.8.5.5.1.1), and RegionDataType (C.8.5.5.1.2) of what the model looks at.
TWO_DIMENSIONAL: Final = 1
M_MODE: Final = 2
SPECTRAL: Final = 3
_TISSUE_OR_COLOUR_FLOW: Final = (1, 2)

# Frames made smaller by a whole factor after the region was written: a SonoSite's is 2. More has not been seen.
_MAX_FACTOR: Final = 4

# The 2D regions of nine recordings cover 48 to 91 % of the image; one below this is an icon, a loupe or garbage.
_LEAST_COVER: Final = 0.05

_CORNERS: Final = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")


@dataclass(frozen=True, slots=True)
class Region:
    """One item of the sequence, with its corners as they are in the file; they may lie outside the image.

    `x1` and `y1` are one more than in the file, which names the last column and row: a SonoSite's 84 to 595 is 512
    columns. Some scanners name the first one outside; clamping to the image undoes that where it matters.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    spatial_format: int
    data_type: int


def read_regions(dataset: Dataset) -> tuple[Region, ...]:
    """Read the regions of a header; those that make no sense are left out; raises nothing."""
    try:
        items = list(dataset.get("SequenceOfUltrasoundRegions") or ())[:MAX_REGIONS]
    except Exception:  # noqa: BLE001  # pydicom converts on access and raises many kinds on garbage
        return ()
    return tuple(region for region in map(_region, items) if region is not None)


def area(regions: Sequence[Region], spatial_format: int) -> int:
    """Return the number of pixels in all regions of one format."""
    return sum((r.x1 - r.x0) * (r.y1 - r.y0) for r in regions if r.spatial_format == spatial_format)


def tissue_box(regions: Sequence[Region], rows: int, columns: int) -> Box | None:
    """Find the part of the image that the header calls 2D tissue or colour flow.

    Several such regions (a split screen) give the box around them all. Coordinates beyond the image in both directions
    belong to an image larger by a whole factor, and are scaled down; those beyond it in one direction are cut off.

    Returns:
        The box, within the image; None where there is no such region, or too little of it lies in the image.
    """
    used = [
        region
        for region in regions
        if region.spatial_format == TWO_DIMENSIONAL and region.data_type in _TISSUE_OR_COLOUR_FLOW
    ]
    if not used:
        return None
    right, bottom = max(region.x1 for region in used), max(region.y1 for region in used)
    factor = _factor(right, bottom, rows, columns)
    box = Box(
        top=min(region.y0 for region in used) // factor,
        bottom=min(rows, -(-bottom // factor)),
        left=min(region.x0 for region in used) // factor,
        right=min(columns, -(-right // factor)),
    )
    return box if factor <= _MAX_FACTOR and _large_enough(box, rows, columns) else None


def _region(item: Dataset) -> Region | None:
    try:
        x0, y0, x1, y1 = (int(cast("int", item.get(corner))) for corner in _CORNERS)
        spatial_format, data_type = int(item.RegionSpatialFormat), int(item.RegionDataType)
    except Exception:  # noqa: BLE001  # as above
        return None
    return Region(x0, y0, x1 + 1, y1 + 1, spatial_format, data_type) if 0 <= x0 <= x1 and 0 <= y0 <= y1 else None


def _factor(right: int, bottom: int, rows: int, columns: int) -> int:
    """Return how many times larger an image would hold the last column and row, in the axis that fits better."""
    return max(1, min(-(-(right - 1) // columns), -(-(bottom - 1) // rows)))


def _large_enough(box: Box, rows: int, columns: int) -> bool:
    height, width = max(0, box.bottom - box.top), max(0, box.right - box.left)
    return height * width >= _LEAST_COVER * rows * columns
