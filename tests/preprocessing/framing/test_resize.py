import cv2
import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.framing.resize import resize_and_crop


def test_colour_is_area_resized_and_centre_cropped(bgr: NDArray[np.uint8]) -> None:
    plain = cv2.resize(bgr[3], (256, 256), interpolation=cv2.INTER_AREA)[16:240, 16:240]
    np.testing.assert_array_equal(resize_and_crop(bgr[3]), plain)


def test_grey_gives_what_three_equal_channels_would(grey: NDArray[np.uint8]) -> None:
    tripled = resize_and_crop(np.repeat(grey[3][..., None], 3, axis=2))
    small = resize_and_crop(grey[3])
    assert small.shape == (224, 224, 1)
    np.testing.assert_array_equal(np.broadcast_to(small, (224, 224, 3)), tripled)


def test_channel_0_stays_blue() -> None:
    blue = np.zeros((300, 400, 3), dtype=np.uint8)
    blue[..., 0] = 200
    assert resize_and_crop(blue)[100, 100].tolist() == [200, 0, 0]


def test_small_frames_are_enlarged(bgr: NDArray[np.uint8]) -> None:
    assert resize_and_crop(bgr[0, :40, :30]).shape == (224, 224, 3)
