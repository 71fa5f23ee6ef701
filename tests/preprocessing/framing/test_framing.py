import io
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from panecho_preprocessing.dicom.regions import read_regions, tissue_box
from panecho_preprocessing.frames import Box
from panecho_preprocessing.framing.framing import Framing, find_framing
from panecho_preprocessing.framing.resize import resize_and_crop
from panecho_preprocessing.framing.sector import find_sector
from panecho_preprocessing.options import FRAMINGS, FramingPolicy
from support.probing import probe

Image = NDArray[np.uint8]

MASKED, PUBLISHED, TIGHT, WHOLE = (FRAMINGS[name] for name in ("masked", "published", "tight", "whole"))
REGION = FramingPolicy("none", "region", "keep")

CENTRE, RADIUS = (300, 60), 300
SECTOR_BOX = Box(top=60, bottom=361, left=112, right=489)


def filled() -> Image:
    arc = np.asarray(cv2.ellipse2Poly(CENTRE, (RADIUS, RADIUS), 90, -39, 39, 1))
    image = np.zeros((480, 640), np.uint8)
    return np.asarray(cv2.fillPoly(image, [np.array([CENTRE, *arc], np.int32)], (1,)), dtype=np.uint8)


@pytest.fixture(scope="module")
def moving() -> list[Image]:
    """Eight frames, uint8 [480, 640, 3]: speckle in a sector, text at the right."""
    random = np.random.default_rng(3)
    frames = [random.integers(20, 200, (480, 640, 3), np.uint8) * filled()[..., None] for _ in range(8)]
    for frame in frames:
        frame[100:120, 560:620] = 255
    return frames


def find_sector_of(frames: list[Image]) -> Image:
    sector = find_sector(frames)
    assert sector is not None
    return sector.view(np.uint8)


def near(box: Box | None, wanted: Box, pixels: int) -> bool:
    return box is not None and bool(np.abs(np.subtract(box, wanted)).max() <= pixels)


def with_border(box: Box) -> Box:
    """Widen a box by a fourteenth each way, and on to multiples of 4."""
    rows, columns = round((box.bottom - box.top) / 14), round((box.right - box.left) / 14)
    outer = (box.top - rows, -(box.bottom + rows), box.left - columns, -(box.right + columns))
    return Box(*(abs(edge // 4 * 4) for edge in outer))


def test_whole_changes_nothing(moving: list[Image]) -> None:
    framing = find_framing(moving, SECTOR_BOX, WHOLE)
    assert framing == Framing()
    np.testing.assert_array_equal(framing.apply(moving[0]), resize_and_crop(moving[0]))


def test_region_crops_and_does_not_mask(moving: list[Image]) -> None:
    framing = find_framing(moving, Box(50, 420, 100, 500), REGION)
    box = with_border(Box(50, 420, 100, 500))
    assert framing == Framing(box=box)
    np.testing.assert_array_equal(
        framing.apply(moving[0]), resize_and_crop(moving[0][box.top : box.bottom, box.left : box.right])
    )


def test_the_model_sees_the_region_from_edge_to_edge() -> None:
    frame = np.zeros((480, 640), np.uint8)
    frame[80:400, 100:500] = 255
    seen = find_framing([frame], Box(80, 400, 100, 500), REGION).apply(frame)
    assert (seen == 255).mean() > 0.97  # but for the pixels that make the box's edges multiples of 4
    frame[:] = 255 - frame
    assert (find_framing([frame], Box(80, 400, 100, 500), REGION).apply(frame) == 0).mean() > 0.97


@pytest.mark.parametrize("policy", [REGION, TIGHT])
def test_the_border_ends_with_the_image(policy: FramingPolicy) -> None:
    still = [np.zeros((480, 640), np.uint8)] * 2
    assert find_framing(still, Box(0, 480, 100, 640), policy).box == Box(0, 480, 60, 640)


def test_region_without_a_region_is_the_sectors_box_or_the_whole_frame(moving: list[Image]) -> None:
    assert near(find_framing(moving, None, REGION).box, with_border(SECTOR_BOX), 8)
    still = find_framing(moving[:1] * 2, None, REGION)
    assert still == Framing(note="no ultrasound sector is found and the header names no region: nothing is cropped")


def test_tight_uses_the_region_and_masks_the_sector(moving: list[Image]) -> None:
    framing = find_framing(moving, Box(50, 420, 90, 630), TIGHT)
    assert framing.box == Box(24, 448, 48, 640)
    seen = framing.apply(moving[0])
    whole = resize_and_crop(moving[0][24:448, 48:640])
    kept = resize_and_crop(filled()[24:448, 48:640] * np.uint8(255))[..., 0]
    inside, outside = cv2.erode(kept, np.ones((7, 7))) == 255, cv2.dilate(kept, np.ones((7, 7))) == 0
    np.testing.assert_array_equal(seen[inside], whole[inside])
    assert whole[outside].any()
    assert not seen[outside].any()


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(Box(30, 180, 56, 244), id="half the coordinates"),
        pytest.param(Box(60, 340, 112, 489), id="without the bottom"),
        pytest.param(Box(0, 480, 300, 640), id="the right half"),
    ],
)
def test_tight_uses_the_pixels_rather_than_a_region_that_cuts_the_sector(wrong: Box, moving: list[Image]) -> None:
    framing = find_framing(moving, wrong, TIGHT)
    assert near(framing.box, with_border(SECTOR_BOX), 8)
    assert framing.mask is not None


def test_tight_without_a_region_crops_to_the_sector(moving: list[Image]) -> None:
    framing = find_framing(moving, None, TIGHT)
    assert near(framing.box, with_border(SECTOR_BOX), 8)
    seen = framing.apply(moving[0])
    assert seen[:3].any()
    assert seen[-3:].any()
    assert seen[:, :3].any()
    assert seen[:, -3:].any()


@pytest.mark.parametrize("frames", [1, 4])
def test_tight_without_a_sector_is_region(frames: int, moving: list[Image]) -> None:
    still = moving[:1] * frames
    region = Box(80, 400, 100, 500)
    found = find_framing(still, region, TIGHT)
    assert replace(found, note="") == find_framing(still, region, REGION)
    assert found.note == "no ultrasound sector is found: the header's region is used instead"
    assert replace(find_framing(still, None, TIGHT), note="") == Framing()


@pytest.mark.parametrize("policy", [*FRAMINGS.values(), REGION])
def test_no_frames_no_framing(policy: FramingPolicy) -> None:
    assert find_framing([], SECTOR_BOX, policy) == Framing(is_grey=policy is PUBLISHED)


@pytest.mark.parametrize("policy", [*FRAMINGS.values(), REGION])
def test_shapes(policy: FramingPolicy, moving: list[Image]) -> None:
    framing = find_framing(moving, None, policy)
    assert framing.apply(moving[0]).shape == (224, 224, 1 if policy is PUBLISHED else 3)
    assert framing.apply(moving[0][..., 1]).shape == (224, 224, 1)
    assert framing.apply(moving[0]).dtype == np.uint8


def test_mask_is_0_or_255(moving: list[Image]) -> None:
    mask = find_framing(moving, None, TIGHT).mask
    assert mask is not None
    assert mask.shape == (224, 224)
    assert mask.dtype == np.uint8
    assert np.unique(mask).tolist() == [0, 255]


def test_mask_keeps_what_is_mostly_sector(moving: list[Image]) -> None:
    box = Box(24, 448, 48, 640)
    mask = cast("Image", find_framing(moving, Box(50, 420, 90, 630), TIGHT).mask)
    share = resize_and_crop(find_sector_of(moving)[box.top : box.bottom, box.left : box.right] * np.uint8(255))
    assert (mask[share[..., 0] > 140] == 255).all()
    assert (mask[share[..., 0] < 110] == 0).all()


def test_grey_and_colour_are_masked_alike(moving: list[Image]) -> None:
    grey = [np.ascontiguousarray(frame[..., 1]) for frame in moving]
    colour = [np.repeat(frame[..., None], 3, axis=2) for frame in grey]
    shown = find_framing(grey, None, TIGHT).apply(grey[0])
    np.testing.assert_array_equal(np.repeat(shown, 3, axis=2), find_framing(colour, None, TIGHT).apply(colour[0]))


def test_frames_stay_as_they_are(moving: list[Image]) -> None:
    before = moving[0].copy()
    find_framing(moving, None, TIGHT).apply(moving[0])
    np.testing.assert_array_equal(moving[0], before)


@pytest.mark.parametrize(
    ("name", "box"),
    [
        ("", Box(0, 224, 24, 316)),
        ("acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm", Box(20, 420, 0, 576)),
        ("ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm", Box(28, 704, 96, 920)),
        ("philips_palette_2f_rle.dcm", Box(24, 552, 68, 800)),
    ],
    ids=["SonoSite", "Acuson", "GE", "palette"],
)
def test_real_regions_hold_the_sector(name: str, box: Box, shared: Callable[[str], bytes], sonosite: bytes) -> None:
    data = shared(name) if name else sonosite
    frames = probe(data)
    regions = read_regions(dcmread(io.BytesIO(data), stop_before_pixels=True))
    framing = find_framing(frames, tissue_box(regions, *frames[0].shape[:2]), TIGHT)
    assert framing.box == box
    mask = cast("Image", framing.mask)
    assert 0.35 <= (mask > 0).mean() <= 0.7
    assert not framing.apply(frames[0])[mask == 0].any()


def test_masked_keeps_scale_and_place(moving: list[Image]) -> None:
    """The sector's pixels are those of the whole frame; all others are black."""
    framing = find_framing(moving, Box(50, 420, 90, 630), MASKED)
    assert framing.box is None
    mask, seen = cast("Image", framing.mask), framing.apply(moving[0])
    np.testing.assert_array_equal(seen[mask > 0], resize_and_crop(moving[0])[mask > 0])
    assert not seen[mask == 0].any()


def test_masked_without_a_sector_masks_the_region_and_says_so(moving: list[Image]) -> None:
    framing = find_framing(moving[:1] * 2, Box(100, 400, 100, 500), MASKED)
    assert framing.note == "no ultrasound sector is found: the header's region is used instead"
    seen = framing.apply(np.full((480, 640), 255, np.uint8))
    assert (seen > 0).mean() == pytest.approx(300 / 480 * 400 / 640 * (256 / 224) ** 2, rel=0.03)


def test_masked_without_anything_is_whole_and_says_so(moving: list[Image]) -> None:
    framing = find_framing(moving[:1] * 2, None, MASKED)
    assert framing == Framing(
        note="no ultrasound sector is found and the header names no region: nothing is blacked out"
    )


def test_sector_crops_to_the_sector_whatever_the_region(moving: list[Image]) -> None:
    framing = find_framing(moving, Box(0, 480, 0, 640), FramingPolicy("none", "sector", "keep"))
    assert near(framing.box, with_border(SECTOR_BOX), 8)
    assert framing.mask is None


def test_region_masks_a_region_that_holds_the_sector(moving: list[Image]) -> None:
    region = Box(48, 432, 64, 576)
    framing = find_framing(moving, region, FramingPolicy("region", "none", "keep"))
    inside = np.zeros((480, 640), np.uint8)
    inside[48:432, 64:576] = 255
    np.testing.assert_array_equal(cast("Image", framing.mask), resize_and_crop(inside)[..., 0] // 128 * 255)


def test_grey_is_the_first_stored_sample(moving: list[Image]) -> None:
    grey = FramingPolicy("none", "none", "grey")
    red = resize_and_crop(np.ascontiguousarray(moving[0][..., 2]))
    luma = resize_and_crop(np.asarray(cv2.cvtColor(moving[0], cv2.COLOR_BGR2GRAY), np.uint8))
    np.testing.assert_array_equal(find_framing([], None, grey, is_rgb=True).apply(moving[0]), red)
    np.testing.assert_array_equal(find_framing([], None, grey).apply(moving[0]), luma)
    assert (red != luma).any()
