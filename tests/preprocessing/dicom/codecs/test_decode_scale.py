"""Decoding at a fraction of the size: what it changes, within the error that is stated, and where it does nothing."""

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from panecho_preprocessing import ClipOptions, VideoError, video_clips
from support.reading import cine_of

FULL, REDUCED = ClipOptions(num_clips=2), ClipOptions(num_clips=2, decode_scale="reduced")
MEAN_ERROR = 1.0
"""Grey levels that are promised on average; 0.5 is what is measured on colour Doppler of 708 x 1016."""


@pytest.fixture
def enlarged(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], bgr: NDArray[np.uint8]
) -> Callable[..., bytes]:
    """The real cine, enlarged and compressed again: a scanner of today."""

    def enlarge(factor: float, *, grey: bool = False) -> bytes:
        frames = [cv2.resize(f[..., 1] if grey else f, None, fx=factor, fy=factor) for f in bgr]
        photometric = "MONOCHROME2" if grey else "YBR_FULL_422"
        file = data_set(np.array(frames), JPEGBaseline8Bit, PhotometricInterpretation=photometric)
        file.PixelData = encapsulate([cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames])
        file["PixelData"].is_undefined_length = True
        return saved(file)

    return enlarge


def difference(data: bytes) -> NDArray[np.int64]:
    reduced, full = video_clips(data, REDUCED), video_clips(data, FULL)
    error: NDArray[np.int64] = np.abs(reduced.astype(np.int64) - full)
    return error


@pytest.mark.parametrize("factor", [3.2, 5.6])
@pytest.mark.parametrize("grey", [False, True])
def test_the_error_is_as_stated(factor: float, grey: bool, enlarged: Callable[..., bytes]) -> None:  # noqa: FBT001 - a parameter
    error = difference(enlarged(factor, grey=grey))
    assert 0 < error.mean() <= MEAN_ERROR


def test_the_error_on_real_colour_doppler(shared: Callable[[str], bytes]) -> None:
    error = difference(shared("ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm"))
    assert 0 < error.mean() <= MEAN_ERROR


def test_small_frames_are_decoded_in_full(sonosite: bytes, shared: Callable[[str], bytes]) -> None:
    assert difference(sonosite).max() == 0
    assert difference(shared("acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm")).max() == 0


def test_other_encodings_are_decoded_in_full(dicom: Callable[..., bytes], bgr: NDArray[np.uint8]) -> None:
    large = np.array([cv2.resize(frame, None, fx=3.2, fy=3.2) for frame in bgr[::4]])
    assert difference(dicom(large)).max() == 0


def test_the_whole_frame_is_decoded_in_full(enlarged: Callable[..., bytes]) -> None:
    data = enlarged(3.2)
    full, reduced = (
        ClipOptions(num_clips=1, framing="whole"),
        ClipOptions(num_clips=1, framing="whole", decode_scale="reduced"),
    )
    np.testing.assert_array_equal(video_clips(data, reduced), video_clips(data, full))


def test_a_reduced_frame_is_a_fraction_of_the_frame(enlarged: Callable[..., bytes]) -> None:
    reader = cine_of(enlarged(3.2)).reader
    for factor, shape in ((2, (384, 512, 3)), (4, (192, 256, 3))):
        smaller = reader.reduced(factor)
        assert smaller is not None
        assert next(smaller.map(lambda frame: frame.shape, [7], None)) == shape


def test_a_stream_that_is_not_baseline_is_refused(
    enlarged: Callable[..., bytes], saved: Callable[[Dataset], bytes]
) -> None:
    file = dcmread(io.BytesIO(enlarged(3.2)))
    data = saved(file).replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc3\x00\x11\x08")
    smaller = cine_of(data).reader.reduced(2)
    assert smaller is not None
    with pytest.raises(VideoError, match=r"^UNSUPPORTED_PIXELS: frame 3: not a baseline JPEG frame"):
        list(smaller.map(lambda frame: frame, [3], None))
