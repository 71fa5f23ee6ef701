"""More than 8 bits: what is seen is the image, whatever part of the range its values use."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import RLELossless

from panecho_preprocessing import ClipOptions, VideoError, video_clips
from support.reading import frames_of

Dicom = Callable[..., bytes]


def test_the_reported_file(field: Callable[[str], bytes]) -> None:
    expected = video_clips(field("grey8_reference.dcm"), ClipOptions()).astype(int)
    found = video_clips(field("grey16_low_values_window.dcm"), ClipOptions()).astype(int)
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("used", [8, 10, 12, 14])
def test_values_in_the_lower_bits_without_a_window(used: int, dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    deep = grey.astype(np.uint16) << (used - 8)
    np.testing.assert_array_equal(frames_of(dicom(deep)), grey)
    rgb = np.repeat(deep[..., None], 3, axis=-1)
    np.testing.assert_array_equal(np.array(frames_of(dicom(rgb)))[..., 0], grey)


def test_low_signed_values(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    low = grey.astype(np.int16) - 128
    np.testing.assert_array_equal(frames_of(dicom(low, PixelRepresentation=1)), grey)
    np.testing.assert_array_equal(frames_of(dicom(grey.astype(np.int16), PixelRepresentation=1)), grey)


@pytest.mark.parametrize(
    ("elements", "offset"),
    [
        ({"WindowCenter": 1127.5, "WindowWidth": 255, "VOILUTFunction": "LINEAR_EXACT"}, 1000),
        ({"WindowCenter": 1128, "WindowWidth": 256}, 1000),
        ({"WindowCenter": [128, 10], "WindowWidth": [256, 5], "RescaleSlope": 1, "RescaleIntercept": -1000}, 1000),
        ({"WindowCenter": 256, "WindowWidth": 512, "RescaleSlope": 2, "RescaleIntercept": 0}, 0),
    ],
)
def test_windows(elements: dict[str, object], offset: int, dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    found = np.array(frames_of(dicom(grey.astype(np.uint16) + offset, **elements))).astype(int)
    assert np.abs(found - grey).max() <= 1


def test_inverted_grey_is_inverted_after_its_window(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    elements = {"WindowCenter": 127.5, "WindowWidth": 255, "PhotometricInterpretation": "MONOCHROME1"}
    found = np.array(frames_of(dicom(grey.astype(np.uint16), **elements))).astype(int)
    assert np.abs(found - (255 - grey.astype(int))).max() <= 1


@pytest.mark.parametrize(
    "window",
    [
        {"WindowCenter": 40000, "WindowWidth": 100},
        {"WindowCenter": 32768, "WindowWidth": 65536},
        {"WindowCenter": 0, "WindowWidth": 0},
        {"WindowCenter": 127.5},
        {"WindowCenter": 127.5, "WindowWidth": -5},
    ],
)
def test_a_window_that_hides_the_image_is_not_used(
    window: dict[str, object], dicom: Dicom, grey: NDArray[np.uint8]
) -> None:
    np.testing.assert_array_equal(frames_of(dicom(grey.astype(np.uint16), **window)), grey)


def test_a_table_of_the_header_is_used(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    table = Dataset()
    table.LUTDescriptor = [256, 0, 16]
    table.LUTData = (np.arange(256, dtype=np.uint16)[::-1] * 257).tobytes()
    file = dicom(grey.astype(np.uint16), VOILUTSequence=[table])
    np.testing.assert_array_equal(frames_of(file), 255 - grey)


@pytest.mark.parametrize("compressed", [False, True])
def test_samples_in_the_upper_bits(
    compressed: bool,  # noqa: FBT001 - a parameter of the test
    data_set: Callable[..., Dataset],
    saved: Callable[[Dataset], bytes],
    grey: NDArray[np.uint8],
) -> None:
    file = data_set(grey[:3].astype(np.uint16) << 8, BitsStored=12, HighBit=15)
    if compressed:
        file.compress(RLELossless, generate_instance_uid=False)
    np.testing.assert_array_equal(frames_of(saved(file)), grey[:3])


def test_the_scale_does_not_depend_on_the_clips(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    fading = np.array([frame.astype(np.uint16) * (index + 1) for index, frame in enumerate(grey)])
    whole = video_clips(dicom(fading), ClipOptions(num_clips=2, framing="whole"))
    one = video_clips(dicom(fading), ClipOptions(num_clips=2, clip_length=1, framing="whole"))
    np.testing.assert_array_equal(one[0, 0], whole[0, 0])


@pytest.mark.parametrize("largest", [2, 15])
def test_what_comes_out_nearly_black_is_refused(largest: int, dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    dark = (grey.astype(int) * largest // int(grey.max())).astype(np.uint8)
    for pixels in (dark, dark.astype(np.uint16), np.repeat(dark[..., None], 3, axis=-1)):
        with pytest.raises(VideoError, match=r"^NEARLY_BLACK: the frames are nearly black: their brightest level is"):
            video_clips(dicom(pixels), ClipOptions(framing="whole"))
