import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import RLELossless

from panecho_preprocessing import VideoError
from support.reading import frames_of


@pytest.fixture
def compressed(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes]
) -> Callable[[NDArray[np.uint8]], bytes]:
    """Compress pixels with pydicom's own encoder."""

    def compress(pixels: NDArray[np.uint8]) -> bytes:
        file = data_set(pixels)
        file.compress(RLELossless, generate_instance_uid=False)
        return saved(file)

    return compress


def test_colour(compressed: Callable[..., bytes], bgr: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(frames_of(compressed(bgr[:3, ..., ::-1])), bgr[:3])


def test_grey(compressed: Callable[..., bytes], grey: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(frames_of(compressed(grey[:3]), [0, 2]), grey[[0, 2]])


def test_16_bits(compressed: Callable[..., bytes], grey: NDArray[np.uint8]) -> None:
    data = compressed(grey[:3].astype(np.uint16) * 256 + 99)
    np.testing.assert_array_equal(frames_of(data, [1]), grey[[1]])


def test_a_real_still_in_planes(shared: Callable[[str], bytes]) -> None:
    data = shared("acuson_ybr_full_rle_planar1.dcm")
    rgb = np.asarray(dcmread(io.BytesIO(data)).pixel_array)
    frame = frames_of(data, [0])[0]
    assert np.ptp(rgb) > 100
    np.testing.assert_allclose(frame[..., ::-1].astype(int), rgb.astype(int), atol=1)


@pytest.mark.parametrize("declared", [3, None, 2, 40])
def test_frames_are_counted_in_the_data(
    declared: int | None, compressed: Callable[..., bytes], saved: Callable[[Dataset], bytes], grey: NDArray[np.uint8]
) -> None:
    file = dcmread(io.BytesIO(compressed(grey[:3])))
    file.PixelData = encapsulate(list(generate_frames(file.PixelData, number_of_frames=3)), has_bot=False)
    file.NumberOfFrames = declared
    np.testing.assert_array_equal(frames_of(saved(file)), grey[:3])


def test_a_frame_with_other_samples_than_announced(
    compressed: Callable[..., bytes], saved: Callable[[Dataset], bytes], grey: NDArray[np.uint8]
) -> None:
    file = dcmread(io.BytesIO(compressed(grey[:2])))
    file.Rows = 480
    with pytest.raises(
        VideoError, match=r"^CORRUPT_FRAME: frame 1: the RLE frame is cut off: a segment holds 76800 of"
    ):
        frames_of(saved(file), [1])
