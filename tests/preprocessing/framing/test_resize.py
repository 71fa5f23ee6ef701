import numpy as np
import pytest

from panecho_preprocessing.constants import CROP
from panecho_preprocessing.frames import Box
from panecho_preprocessing.framing.resize import resize_and_crop

LENGTHS = (100, 240, 256, 301, 456, 480, 512, 576, 600, 708, 768, 800, 1016, 1080)


@pytest.mark.parametrize("seed", range(40))
def test_the_part_needed_is_as_of_the_whole(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (*random.choice(LENGTHS, 2), *(() if seed % 2 else (3,)))
    frame = random.integers(0, 256, shape, np.uint8)
    (top, bottom), (left, right) = np.sort(random.integers(0, CROP + 1, (2, 2))).tolist()
    part, whole = resize_and_crop(frame, Box(top, bottom, left, right)), resize_and_crop(frame)
    assert part.shape == whole.shape
    np.testing.assert_array_equal(part[top:bottom, left:right], whole[top:bottom, left:right])
