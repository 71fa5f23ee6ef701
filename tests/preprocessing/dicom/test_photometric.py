import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import ExplicitVRLittleEndian

from panecho_preprocessing import VideoError
from panecho_preprocessing.frames import Frame
from support.reading import as_ultrasound, cine_of, frames_of

Dicom = Callable[..., bytes]


def read(data: bytes) -> Frame:
    return np.stack(frames_of(data))


def test_rgb_becomes_bgr(dicom: Dicom) -> None:
    rgb = np.full((2, 8, 8, 3), (250, 120, 10), dtype=np.uint8)
    assert read(dicom(rgb))[1, 4, 4].tolist() == [10, 120, 250]


def test_ybr_full_is_converted_once_as_pydicom_does(dicom: Dicom) -> None:
    ybr = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    data = dicom(ybr, PhotometricInterpretation="YBR_FULL")
    rgb = np.asarray(dcmread(io.BytesIO(data)).pixel_array)
    np.testing.assert_allclose(read(data)[..., ::-1].astype(int), rgb.astype(int), atol=1)


@pytest.mark.parametrize(
    ("ybr", "bgr"), [((76, 85, 255), (0, 0, 254)), ((29, 255, 107), (254, 0, 0)), ((150, 44, 21), (1, 255, 0))]
)
def test_primary_colours(ybr: tuple[int, ...], bgr: tuple[int, ...], dicom: Dicom) -> None:
    pixels = np.full((2, 8, 8, 3), ybr, dtype=np.uint8)
    frame = read(dicom(pixels, PhotometricInterpretation="YBR_FULL"))[0]
    np.testing.assert_allclose(frame[0, 0].astype(int), bgr, atol=1)


def test_monochrome1_is_inverted(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(read(dicom(grey, PhotometricInterpretation="MONOCHROME1")), 255 - grey)


@pytest.mark.parametrize("stored", [9, 10, 12, 16])
def test_more_than_8_bits_are_scaled_by_their_range(stored: int, dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    deep = grey.astype(np.uint16) << (stored - 8)
    np.testing.assert_array_equal(read(dicom(deep, BitsStored=stored, HighBit=stored - 1)), grey)


def test_bits_above_those_stored_are_dropped(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    deep = (grey.astype(np.uint16) << 4) | 0xF000
    np.testing.assert_array_equal(read(dicom(deep, BitsStored=12, HighBit=11)), grey)


def test_fewer_than_8_bits_are_scaled_up(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(read(dicom(grey >> 2, BitsStored=6, HighBit=5)), grey & 0xFC)


@pytest.mark.parametrize("stored", [12, 16])
def test_signed_values_begin_at_black(stored: int, dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    signed = (grey.astype(np.int16) - 128) * (1 << (stored - 8))
    data = dicom(signed.astype(np.int16), BitsStored=stored, HighBit=stored - 1, PixelRepresentation=1)
    assert dcmread(io.BytesIO(data)).pixel_array.min() < 0
    np.testing.assert_array_equal(read(data), grey)


def test_16_bit_monochrome1(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    deep = grey.astype(np.uint16) * 256
    np.testing.assert_array_equal(read(dicom(deep, PhotometricInterpretation="MONOCHROME1")), 255 - grey)


def test_a_real_grey_cine_is_read_as_it_is(shared: Callable[[str], bytes]) -> None:
    data = as_ultrasound(shared("mr_16f_mono_explicit.dcm"))
    plain = np.asarray(dcmread(io.BytesIO(data)).pixel_array)
    assert plain.shape == (16, 256, 256)
    assert plain.dtype == np.uint8
    np.testing.assert_array_equal(read(data), plain)


def test_a_real_palette(shared: Callable[[str], bytes]) -> None:
    data = shared("philips_palette_2f_rle.dcm")
    file = dcmread(io.BytesIO(data))
    rgb = apply_color_lut(file.pixel_array, file)
    assert rgb.dtype == np.uint16
    assert len(np.unique(rgb.reshape(-1, 3), axis=0)) > 50
    np.testing.assert_array_equal(read(data)[..., ::-1], rgb >> 8)


def test_the_same_palette_uncompressed(shared: Callable[[str], bytes]) -> None:
    np.testing.assert_array_equal(
        read(shared("philips_palette_2f_explicit.dcm")), read(shared("philips_palette_2f_rle.dcm"))
    )


def palette(file: Dataset, entries: NDArray[np.uint8] | NDArray[np.uint16], first: int, bits: int) -> None:
    for channel, colour in enumerate(("Red", "Green", "Blue")):
        setattr(file, f"{colour}PaletteColorLookupTableDescriptor", [len(entries), first, bits])
        setattr(file, f"{colour}PaletteColorLookupTableData", np.ascontiguousarray(entries[:, channel]).tobytes())


@pytest.mark.parametrize(("dtype", "bits", "scale"), [("u1", 8, 1), ("u2", 16, 256), ("u2", 8, 1)])
def test_palette_entries_of_8_and_16_bits(
    dtype: str, bits: int, scale: int, data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes]
) -> None:
    indices = np.arange(256, dtype=np.uint8).reshape(1, 16, 16).repeat(2, axis=0)
    file = data_set(indices, ExplicitVRLittleEndian, PhotometricInterpretation="PALETTE COLOR")
    entries = np.stack([np.arange(256), 255 - np.arange(256), np.full(256, 7)], axis=1)
    palette(file, (entries * scale).astype(dtype), 0, bits)
    frames = read(saved(file))
    assert frames[1, 0, 3].tolist() == [7, 252, 3]
    assert frames[1, 15, 15].tolist() == [7, 0, 255]


def test_palette_with_16_bit_indices_and_an_offset(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes]
) -> None:
    indices = np.array([0, 1000, 1001, 60000], dtype=np.uint16).reshape(1, 2, 2).repeat(2, axis=0)
    file = data_set(indices, ExplicitVRLittleEndian, PhotometricInterpretation="PALETTE COLOR")
    palette(file, np.array([(10, 20, 30), (40, 50, 60)], dtype=np.uint8), 1000, 8)
    assert read(saved(file))[0].reshape(4, 3).tolist() == [[30, 20, 10], [30, 20, 10], [60, 50, 40], [60, 50, 40]]


@pytest.mark.parametrize("photometric", ["YBR_PARTIAL_422", "HSV", "MONOCHROME2", "PALETTE COLOR", ""])
def test_other_colour_spaces_are_refused(photometric: str, dicom: Dicom, bgr: NDArray[np.uint8]) -> None:
    message = rf"^UNSUPPORTED_PIXELS: photometric interpretation '{photometric}' with 3 samples per pixel is not read"
    with pytest.raises(VideoError, match=message):
        cine_of(dicom(bgr, PhotometricInterpretation=photometric))


def test_one_sample_cannot_be_rgb(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    with pytest.raises(VideoError, match=r"^UNSUPPORTED_PIXELS: photometric interpretation 'RGB' with 1 samples"):
        cine_of(dicom(grey, PhotometricInterpretation="RGB"))
