import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from panecho_preprocessing import VideoError
from panecho_preprocessing.dicom.native import NativeFrames
from support.reading import as_ultrasound, cine_of, frames_of, header_of

Dicom = Callable[..., bytes]
SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def stored(data: bytes) -> NDArray[np.uint8]:
    """All frames as this package reads them, before any conversion."""
    frames = NativeFrames(header_of(data))
    return np.stack([frames.decode(index).samples for index in range(frames.count)])


def by_pydicom(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(dcmread(io.BytesIO(data)).pixel_array)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_rgb_in_every_uncompressed_syntax(syntax: str, dicom: Dicom, bgr: NDArray[np.uint8]) -> None:
    data = dicom(bgr[..., ::-1], syntax)
    np.testing.assert_array_equal(stored(data), bgr[..., ::-1])
    np.testing.assert_array_equal(stored(data), by_pydicom(data))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_grey_in_every_uncompressed_syntax(syntax: str, dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    data = dicom(grey, syntax)
    np.testing.assert_array_equal(stored(data), grey)
    np.testing.assert_array_equal(stored(data), by_pydicom(data))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_16_bits_in_every_uncompressed_syntax(syntax: str, dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    data = dicom((grey.astype(np.uint16) * 257 + 1).astype(f"{order}u2"), syntax)
    np.testing.assert_array_equal(stored(data), grey.astype(np.uint16) * 257 + 1)
    np.testing.assert_array_equal(stored(data), by_pydicom(data))


def test_planes(dicom: Dicom, bgr: NDArray[np.uint8]) -> None:
    planes = np.ascontiguousarray(bgr.transpose(0, 3, 1, 2))
    data = dicom(bgr, PlanarConfiguration=1, PixelData=planes.tobytes())
    np.testing.assert_array_equal(stored(data), bgr)
    np.testing.assert_array_equal(stored(data), by_pydicom(data))


def test_8_bit_pixels_in_big_endian_words(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], grey: NDArray[np.uint8]
) -> None:
    odd = np.ascontiguousarray(grey[:4, :25, :31])  # a frame of 775 bytes: every other one begins inside a word
    file = data_set(odd, ExplicitVRBigEndian)
    file.add_new("PixelData", "OW", odd.reshape(-1, 2)[:, ::-1].tobytes())
    data = saved(file)
    np.testing.assert_array_equal(stored(data), odd)
    np.testing.assert_array_equal(stored(data), by_pydicom(data))


def test_shared_chroma(dicom: Dicom, bgr: NDArray[np.uint8]) -> None:
    luma = bgr[..., 0].reshape(30, 240, 160, 2)
    pairs = np.concatenate([luma, bgr[:, :, ::2, 1:]], axis=-1)
    data = dicom(bgr, PhotometricInterpretation="YBR_FULL_422", PixelData=pairs.tobytes())
    full = stored(data)
    assert full.shape == (30, 240, 320, 3)
    np.testing.assert_array_equal(full[..., 0], bgr[..., 0])
    np.testing.assert_array_equal(full[..., ::2, 1:], bgr[..., ::2, 1:])
    np.testing.assert_array_equal(full[..., 1::2, 1:], bgr[..., ::2, 1:])


def test_a_label_of_shared_chroma_on_full_samples(dicom: Dicom, bgr: NDArray[np.uint8]) -> None:
    data = dicom(bgr, PhotometricInterpretation="YBR_FULL_422")
    np.testing.assert_array_equal(stored(data), bgr)


@pytest.mark.parametrize("name", ["esaote_ybr_full_422_uncompressed.dcm", "sc_ybr_full_422_uncompressed.dcm"])
def test_real_shared_chroma(name: str, shared: Callable[[str], bytes]) -> None:
    data = shared(name)
    rgb = np.asarray(dcmread(io.BytesIO(data)).pixel_array)
    frame = frames_of(data, [0])[0]
    assert np.ptp(rgb) > 100
    np.testing.assert_allclose(frame[..., ::-1].astype(int), rgb.astype(int), atol=1)


@pytest.mark.parametrize("declared", [30, None, 1, 4000])
def test_frames_are_counted_in_the_data(declared: int | None, dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    assert len(stored(dicom(grey, NumberOfFrames=declared))) == 30


def test_a_frame_that_the_file_cuts_off_does_not_count(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    data = dicom(grey)
    np.testing.assert_array_equal(stored(data[:-10]), grey[:29])


def test_less_than_one_frame_is_truncated(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    data = dicom(grey)[: -29 * 240 * 320 - 1]
    with pytest.raises(VideoError, match=r"^TRUNCATED: the file holds 76799 bytes of pixels, one frame takes 76800$"):
        cine_of(data)


def test_a_real_truncated_file(shared: Callable[[str], bytes]) -> None:
    with pytest.raises(VideoError, match=r"^TRUNCATED: the file holds 8130 bytes of pixels, one frame takes 8192$"):
        cine_of(as_ultrasound(shared("mr_truncated.dcm")))


def test_uncompressed_pixels_written_as_fragments_are_refused(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], grey: NDArray[np.uint8]
) -> None:
    data = bytearray(saved(data_set(grey)))
    position = data.index(b"\xe0\x7f\x10\x00OB")
    data[position + 8 : position + 12] = b"\xff\xff\xff\xff"
    with pytest.raises(VideoError, match=r"^UNREADABLE_DICOM: uncompressed pixel data is written as if compressed$"):
        cine_of(bytes(data))


def test_frames_are_not_copied(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    data = dicom(grey)
    frame = NativeFrames(header_of(data)).decode(29).samples
    assert np.shares_memory(frame, np.frombuffer(data, np.uint8))
