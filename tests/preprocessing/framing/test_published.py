"""`framing=published` against the steps of docs/guide/framing.md, written here a second time in a few lines."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.encaps import generate_frames

from panecho_preprocessing import ClipOptions, preprocess_study, video_clips
from panecho_preprocessing.framing.published import find_outline, first_sample
from support.reading import frames_of

Image: TypeAlias = NDArray[Any]

PUBLISHED = ClipOptions(framing="published", num_clips=2, clip_length=4)


def reference(frames: list[Image], *, is_rgb: bool) -> Image:
    """Return what the public steps make of decoded frames: uint8 [frames, 224, 224]."""
    if frames[0].ndim == 3:
        frames = [frame[..., 2] if is_rgb else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
    rows, columns = frames[0].shape
    row, column = np.arange(rows)[:, None], np.arange(columns)
    inside = (
        (row >= int(0.1 * rows))
        & (row < int(0.95 * rows))
        & (column >= int(0.1 * columns))
        & (column < int(0.95 * columns))
    )
    simple = np.stack(frames) * inside
    _, binary = cv2.threshold(np.where(simple[0] > 0, 255, 0).astype(np.uint8), 200, 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(binary, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea)
    hull = cv2.fillPoly(np.zeros((rows, columns), np.uint8), [cv2.convexHull(largest)], (1,))
    resized = [cv2.resize(frame * hull, (256, 256), interpolation=cv2.INTER_AREA) for frame in simple]
    cropped: Image = np.stack(resized)[:, 16:240, 16:240]
    return cropped


def require_equal(data: bytes, *, is_rgb: bool = False) -> None:
    frames = frames_of(data)
    indices = np.array([[0], [max(0, len(frames) - 4)]]) + np.arange(4)
    expected = reference(frames, is_rgb=is_rgb)[indices.clip(max=len(frames) - 1)][..., None]
    np.testing.assert_array_equal(video_clips(data, PUBLISHED), np.broadcast_to(expected, (2, 4, 224, 224, 3)))


def as_request(data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return np.frombuffer(data, np.uint8), np.array([len(data)])


def test_sonosite(sonosite: bytes) -> None:
    require_equal(sonosite)


def test_luma_is_nearly_the_stored_one(shared: Callable[[str], bytes], sonosite: bytes) -> None:
    for data in (sonosite, shared("ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm")):
        jpeg = next(generate_frames(dcmread(io.BytesIO(data)).PixelData, number_of_frames=2))
        stored = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        luma = first_sample(frames_of(data, [0])[0], is_rgb=False)
        assert np.abs(luma.astype(int) - stored).mean() <= 0.05


@pytest.mark.parametrize(
    ("name", "is_rgb"),
    [
        ("acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm", False),
        ("ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm", False),
        ("ge_vivid_e95_colordoppler_27f_jpegxl_recompressed.dcm", False),
        ("philips_palette_2f_explicit.dcm", False),
        ("philips_palette_2f_rle.dcm", False),
        ("medistim_2f_jpeglossless_rgb.dcm", True),
    ],
)
def test_real_cines(name: str, is_rgb: bool, shared: Callable[[str], bytes]) -> None:  # noqa: FBT001 - a parameter
    require_equal(shared(name), is_rgb=is_rgb)


@pytest.mark.parametrize("name", ["reference_jpeg.dcm", "grey8_reference.dcm", "odd_frames_rgb_reference.dcm"])
def test_files_of_the_field(name: str, field: Callable[[str], bytes]) -> None:
    data = field(name)
    require_equal(data, is_rgb=dcmread(io.BytesIO(data)).PhotometricInterpretation == "RGB")


@pytest.mark.parametrize("shape", [(3, 100, 300), (6, 480, 640, 3), (5, 301, 257, 3), (2, 177, 316)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_generated_cines(seed: int, shape: tuple[int, ...], dicom: Callable[..., bytes]) -> None:
    """Blobs with a bright ring, of which the inner contour is one too, and speckle that flickers."""
    random = np.random.default_rng(seed)
    frames = np.zeros(shape, np.uint8)
    rows, columns = shape[1:3]
    for frame in frames:
        for _ in range(4):
            centre = int(random.integers(columns)), int(random.integers(rows))
            cv2.circle(
                frame,
                centre,
                int(random.integers(rows // 3, rows)),
                random.integers(40, 255, 3).tolist(),
                int(random.choice([2, -1])),
            )
    frames[random.random(shape) < 0.02] = 0
    require_equal(dicom(frames), is_rgb=len(shape) == 4)


@pytest.mark.parametrize("levels", [0, 1])
def test_a_first_frame_that_shows_nothing_falls_back_to_the_sector_and_says_so(
    levels: int, dicom: Callable[..., bytes], grey: NDArray[np.uint8]
) -> None:
    """Their first pass would black out the whole video: the first frame is black, or holds one speck."""
    frames = grey.copy()
    frames[0] = 0
    frames[0, 100:103, 100:103] = levels
    study = preprocess_study(*as_request(dicom(frames)), PUBLISHED, max_clips=8)
    assert study.video_status == (
        "ok: the first frame shows no outline for the published mask: the sector is used instead",
    )
    masked = video_clips(dicom(frames), replace(PUBLISHED, framing="masked", colour="grey"))
    np.testing.assert_array_equal(study.clips, masked)


def test_noise_everywhere_masks_the_periphery_alone() -> None:
    noise = np.random.default_rng(0).integers(0, 3, (300, 400), np.uint8)
    kept = find_outline(noise)
    assert kept is not None
    assert kept[30:285, 40:380].mean() > 250
    assert not kept[:30].any()
    assert not kept[:, 380:].any()
