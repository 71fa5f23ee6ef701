"""JPEG-LS, JPEG 2000, JPEG XL, lossless and 12-bit JPEG, on streams that imagecodecs encodes and streams that lie."""

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000, UID, HTJ2KLossless, JPEG2000Lossless, JPEGExtended12Bit, JPEGLossless, JPEGLSLossless

from panecho_preprocessing import VideoError
from panecho_preprocessing.dicom.codecs.jpegxl import _codestream, _size
from support.reading import frames_of, with_transfer_syntax

JPEG_XL = UID("1.2.840.10008.1.2.4.110")
Samples = NDArray[Any]
Encode = Callable[[Samples], bytes | bytearray]

LOSSLESS: dict[UID, Encode] = {
    JPEGLossless: lambda samples: imagecodecs.jpeg8_encode(
        samples, lossless=True, colorspace=_as_stored(samples), bitspersample=8 * samples.itemsize
    ),
    JPEGLSLossless: imagecodecs.jpegls_encode,
    JPEG2000Lossless: lambda samples: imagecodecs.jpeg2k_encode(samples, level=0, codecformat="j2k", mct=False),
    JPEG_XL: lambda samples: imagecodecs.jpegxl_encode(samples, lossless=True),
}


def _as_stored(samples: Samples) -> str:
    return "RGB" if samples.ndim == 3 else "GRAYSCALE"


@pytest.fixture
def compressed(data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes]) -> Callable[..., bytes]:
    """Compress frames one by one into a DICOM file."""

    def compress(pixels: Samples, syntax: UID, encode: Encode, **elements: object) -> bytes:
        file = data_set(pixels, JPEG2000Lossless, **elements)
        file.PixelData = encapsulate([bytes(encode(np.ascontiguousarray(frame))) for frame in pixels])
        file["PixelData"].VR, file["PixelData"].is_undefined_length = "OB", True
        return with_transfer_syntax(saved(file), syntax)

    return compress


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
def test_colour_comes_back_exactly(syntax: UID, compressed: Callable[..., bytes], bgr: NDArray[np.uint8]) -> None:
    data = compressed(bgr[:2, ..., ::-1], syntax, LOSSLESS[syntax])
    np.testing.assert_array_equal(frames_of(data), bgr[:2])


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
def test_grey_of_8_and_16_bits_comes_back_exactly(
    syntax: UID, compressed: Callable[..., bytes], grey: NDArray[np.uint8]
) -> None:
    np.testing.assert_array_equal(frames_of(compressed(grey[:2], syntax, LOSSLESS[syntax])), grey[:2])
    deep = grey[:2].astype(np.uint16) * 256 + 99
    np.testing.assert_array_equal(frames_of(compressed(deep, syntax, LOSSLESS[syntax])), grey[:2])
    inverted = compressed(grey[:2], syntax, LOSSLESS[syntax], PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(frames_of(inverted), 255 - grey[:2])


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLSLossless, JPEG2000Lossless], ids=lambda syntax: syntax.name)
def test_lossless_palette_indices_are_looked_up(
    syntax: UID, compressed: Callable[..., bytes], grey: NDArray[np.uint8]
) -> None:
    entries = np.arange(255, -1, -1, dtype=np.uint8).tobytes()
    tables = {
        f"{colour}PaletteColorLookupTable{part}": value
        for colour in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [256, 0, 8]), ("Data", entries))
    }
    data = compressed(grey[:2], syntax, LOSSLESS[syntax], PhotometricInterpretation="PALETTE COLOR", **tables)
    np.testing.assert_array_equal(frames_of(data)[0][..., 0], 255 - grey[0])


def test_ybr_samples_in_a_lossless_stream_are_converted(
    compressed: Callable[..., bytes], data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes]
) -> None:
    ybr = np.full((2, 64, 64, 3), (126, 137, 127), dtype=np.uint8)
    plain = frames_of(saved(data_set(ybr, PhotometricInterpretation="YBR_FULL")))
    for syntax in (JPEGLossless, JPEGLSLossless, JPEG2000Lossless):
        data = compressed(ybr, syntax, LOSSLESS[syntax], PhotometricInterpretation="YBR_FULL")
        np.testing.assert_array_equal(frames_of(data), plain)


@pytest.mark.parametrize(("photometric", "mct"), [("YBR_RCT", True), ("RGB", True), ("YBR_FULL", True), ("RGB", False)])
def test_the_component_transform_of_jpeg_2000_goes_before_the_header(
    photometric: str,
    mct: bool,  # noqa: FBT001 - a parameter of the test
    compressed: Callable[..., bytes],
    bgr: NDArray[np.uint8],
) -> None:
    def encode(samples: Samples) -> bytes | bytearray:
        return imagecodecs.jpeg2k_encode(samples, level=0, codecformat="j2k", mct=mct)

    data = compressed(bgr[:2, ..., ::-1], JPEG2000Lossless, encode, PhotometricInterpretation=photometric)
    np.testing.assert_array_equal(frames_of(data), bgr[:2])


def test_a_jp2_file_in_a_frame_is_read(compressed: Callable[..., bytes], grey: NDArray[np.uint8]) -> None:
    data = compressed(grey[:2], JPEG2000, lambda s: imagecodecs.jpeg2k_encode(s, level=0, codecformat="jp2"))
    np.testing.assert_array_equal(frames_of(data), grey[:2])


def test_12_bits_of_lossy_grey(compressed: Callable[..., bytes], grey: NDArray[np.uint8]) -> None:
    deep = grey[:2].astype(np.uint16) * 16
    data = compressed(
        deep, JPEGExtended12Bit, lambda s: imagecodecs.jpeg8_encode(s, level=100, bitspersample=12), BitsStored=12
    )
    np.testing.assert_allclose(np.array(frames_of(data)).astype(int), grey[:2], atol=2)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
def test_a_frame_of_another_size_is_refused_before_it_is_decoded(
    syntax: UID, compressed: Callable[..., bytes], grey: NDArray[np.uint8]
) -> None:
    def double(samples: Samples) -> bytes | bytearray:
        return LOSSLESS[syntax](np.tile(samples, (2, 1)))

    with pytest.raises(VideoError, match=r"^SIZE_MISMATCH: frame 0: the compressed frame is 320 x 480 pixels"):
        frames_of(compressed(grey[:2], syntax, double))


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("keep", [1, 11, 40, 200, 5000])
def test_a_cut_off_frame_is_corrupt(
    syntax: UID, keep: int, compressed: Callable[..., bytes], grey: NDArray[np.uint8]
) -> None:
    with pytest.raises(VideoError, match=r"^CORRUPT_FRAME: frame 0"):
        frames_of(compressed(grey[:2], syntax, lambda samples: LOSSLESS[syntax](samples)[:keep]))


def test_tiles_without_number_are_refused(compressed: Callable[..., bytes], grey: NDArray[np.uint8]) -> None:
    def tiny_tiles(samples: Samples) -> bytes:
        stream = bytearray(LOSSLESS[JPEG2000Lossless](samples))
        stream[2 + 22 : 2 + 30] = (1).to_bytes(4, "big") * 2  # XTsiz, YTsiz
        return bytes(stream)

    with pytest.raises(VideoError, match=r"^TOO_LARGE: frame 0: the frame has 76800 tiles, more than 64$"):
        frames_of(compressed(grey[:2], HTJ2KLossless, tiny_tiles))


@pytest.mark.parametrize(
    "shape", [(8, 8), (256, 256), (240, 320), (708, 1016), (600, 800), (1080, 1920), (37, 3000), (2000, 2400)]
)
@pytest.mark.parametrize("lossless", [True, False])
def test_size_of_a_jpeg_xl_stream(shape: tuple[int, int], lossless: bool) -> None:  # noqa: FBT001 - a parameter
    stream = imagecodecs.jpegxl_encode(np.zeros(shape, np.uint8), lossless=lossless, effort=1)
    assert _size(_codestream(memoryview(stream))) == shape
