import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from panecho_preprocessing import VideoError
from panecho_preprocessing.dicom.codecs import jpeg as codec
from panecho_preprocessing.frames import Frame
from support.reading import as_ultrasound, count_of, frames_of, header_of

Read = Callable[[str], bytes]

# Pixels in BGR order at (row, column) of one frame, as dcmtk 3.6.7 decodes it (dcmj2pnm --frame N --write-png; N is the
# index here plus 1). dcmtk cannot read the Acuson file; its pixels are Pillow 13's. Both decoders agreed on the others.
KNOWN_PIXELS = [
    (
        "sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm",
        (30, 240, 320),
        14,
        {
            (19, 190): (123, 145, 80),
            (20, 189): (140, 161, 98),
            (3, 2): (111, 97, 91),
            (151, 203): (106, 106, 106),
            (237, 258): (86, 77, 68),
        },
    ),
    (
        "acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm",
        (65, 456, 576),
        32,
        {
            (48, 330): (18, 67, 107),
            (388, 176): (241, 242, 170),
            (421, 151): (183, 184, 112),
            (155, 502): (198, 198, 198),
            (455, 486): (180, 173, 170),
        },
    ),
    (
        "ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm",
        (27, 708, 1016),
        13,
        {
            (2, 1007): (135, 118, 67),
            (334, 620): (105, 7, 0),
            (367, 582): (0, 24, 143),
            (546, 661): (3, 10, 113),
            (704, 973): (91, 163, 163),
            (490, 499): (242, 237, 238),
        },
    ),
]


@pytest.fixture
def real(sonosite: bytes, shared: Read) -> Read:
    return lambda name: sonosite if name.startswith("sonosite") else shared(name)


@pytest.mark.parametrize(("name", "shape", "index", "pixels"), KNOWN_PIXELS)
def test_real_cines_have_the_pixels_that_other_decoders_find(
    name: str,
    shape: tuple[int, int, int],
    index: int,
    pixels: dict[tuple[int, int], tuple[int, int, int]],
    real: Read,
) -> None:
    data = real(name)
    (frame,) = frames_of(data, [index])
    assert (count_of(data), *frame.shape) == (*shape, 3)
    for place, colour in pixels.items():
        np.testing.assert_allclose(frame[place], colour, atol=1)


def test_a_real_grey_cine_stays_grey(shared: Read) -> None:
    data = as_ultrasound(shared("xa_96f_jpegbaseline_mono.dcm"))
    (frame,) = frames_of(data, [47])
    assert (count_of(data), frame.shape) == (96, (512, 512))
    # dcmj2pnm --frame 48, dcmtk 3.6.7
    for place, value in {(1, 114): 61, (87, 177): 109, (272, 51): 225, (473, 181): 66}.items():
        assert abs(int(frame[place]) - value) <= 1


def test_rgb_in_a_stream_that_does_not_say_so(shared: Read) -> None:
    frame = frames_of(shared("sc_jpeg_rgb_no_transform.dcm"), [0])[0]
    # dcmj2pnm, dcmtk 3.6.7: a light grey page; taken for YCbCr it would be purple (255, 121, 255).
    assert frame.shape == (256, 256, 3)
    assert frame[0, 0].tolist() == frame[120, 120].tolist() == [244, 244, 244]


def without_jfif(jpeg: bytes) -> bytes:
    assert jpeg[2:4] == b"\xff\xe0"
    return jpeg[:2] + jpeg[4 + int.from_bytes(jpeg[4:6], "big") :]


def encode(image: NDArray[np.uint8]) -> bytes:
    """Encode without loss of chroma, with a JFIF marker as OpenCV always writes."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, 100, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, encoded = cv2.imencode(".jpg", image, settings)
    return bytes(encoded.tobytes())


def frame_of(
    jpeg: bytes, data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], photometric: str
) -> Frame:
    shape = (2, 64, 64, 3) if photometric[:3] in ("RGB", "YBR") else (2, 64, 64)
    file = data_set(np.zeros(shape, dtype=np.uint8), JPEGBaseline8Bit, PhotometricInterpretation=photometric)
    file.PixelData = encapsulate([jpeg, jpeg])
    file["PixelData"].is_undefined_length = True
    return frames_of(saved(file), [0])[0]


COLOUR = (140, 125, 120)  # as BGR; as Y, Cb, Cr it is 126, 137, 127: far enough apart to tell, near enough to encode
BGR_IMAGE = np.full((64, 64, 3), COLOUR, dtype=np.uint8)
AS_COMPONENTS = np.asarray(cv2.cvtColor(BGR_IMAGE, cv2.COLOR_BGR2YCrCb), dtype=np.uint8)[0, 0, [1, 2, 0]]  # Cr, Cb, Y


@pytest.mark.parametrize(
    ("photometric", "marker", "transformed"),
    [
        ("YBR_FULL_422", "jfif", True),
        ("YBR_FULL", "none", True),
        ("RGB", "jfif", True),  # the stream says YCbCr, and goes before the header
        ("RGB", "adobe 1", True),
        ("RGB", "none", False),
        ("RGB", "adobe 0", False),
        ("YBR_FULL_422", "adobe 0", False),
        ("YBR_FULL_422", "named RGB", False),
        ("RGB", "named RGB", False),
    ],
)
def test_colour_follows_the_stream_then_the_header(
    photometric: str,
    marker: str,
    transformed: bool,  # noqa: FBT001  # a parameter of the test
    data_set: Callable[..., Dataset],
    saved: Callable[[Dataset], bytes],
) -> None:
    jpeg = encode(BGR_IMAGE)
    if marker != "jfif":
        jpeg = without_jfif(jpeg)
    if marker.startswith("adobe"):
        transform = int(marker[-1:])
        jpeg = jpeg[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform]) + jpeg[2:]
    if marker == "named RGB":
        for number, letter in ((1, b"R"), (2, b"G"), (3, b"B")):
            sof, sos = jpeg.index(b"\xff\xc0"), jpeg.index(b"\xff\xda")
            jpeg = bytearray(jpeg)  # type: ignore[assignment]  # changed in place below
            jpeg[sof + 10 + 3 * (number - 1)] = jpeg[sos + 5 + 2 * (number - 1)] = letter[0]  # type: ignore[index]  # as above
            jpeg = bytes(jpeg)
    frame = frame_of(jpeg, data_set, saved, photometric)
    true_colour = COLOUR if transformed else AS_COMPONENTS
    np.testing.assert_allclose(frame[10, 10], true_colour, atol=2)


def test_grey_and_inverted_grey(data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes]) -> None:
    jpeg = encode(np.full((64, 64), 50, dtype=np.uint8))
    assert frame_of(jpeg, data_set, saved, "MONOCHROME2")[5, 5] == 50
    assert frame_of(jpeg, data_set, saved, "MONOCHROME1")[5, 5] == 205
    assert frame_of(jpeg, data_set, saved, "MONOCHROME2").shape == (64, 64)


def test_a_frame_is_not_turned_by_its_exif_orientation(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes]
) -> None:
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1))
    jpeg = without_jfif(encode(ramp))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0"  # orientation 3: upside down
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    assert np.asarray(cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_GRAYSCALE))[0, 0] > 180
    assert frame_of(turned, data_set, saved, "MONOCHROME2")[0, 0] < 5


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda jpeg: jpeg[: len(jpeg) // 2], r"^CORRUPT_FRAME: the compressed frame is cut off$"),
        (lambda jpeg: jpeg[:300] + b"\xff\xd9", r"^CORRUPT_FRAME: "),
        (lambda jpeg: jpeg[:2], r"^CORRUPT_FRAME: no JPEG stream is where a frame should be$"),
        (lambda _: b"", r"^CORRUPT_FRAME: no JPEG stream"),
        (lambda _: b"\x89PNG" * 100, r"^CORRUPT_FRAME: no JPEG stream"),
    ],
)
def test_a_broken_frame_is_not_decoded_to_something(
    damage: Callable[[bytes], bytes], message: str, sonosite: bytes, jpegs: list[bytes]
) -> None:
    header = header_of(sonosite)
    with pytest.raises(VideoError, match=message):
        codec.decode(memoryview(damage(jpegs[0])), header)


def test_a_frame_of_another_size_than_the_header_says(rewritten: Callable[..., bytes]) -> None:
    data = rewritten(Rows=320, Columns=240)
    message = r"^SIZE_MISMATCH: frame 3: the compressed frame is 320 x 240 pixels, the header says 240 x 320$"
    with pytest.raises(VideoError, match=message):
        frames_of(data, [3])


def test_four_components_are_refused(sonosite: bytes, jpegs: list[bytes]) -> None:
    jpeg = bytearray(jpegs[0])
    sof = jpeg.index(b"\xff\xc0")
    length = int.from_bytes(jpeg[sof + 2 : sof + 4], "big")
    jpeg[sof + 2 : sof + 4] = (length + 3).to_bytes(2, "big")
    jpeg[sof + 9] = 4
    jpeg[sof + 2 + length : sof + 2 + length] = b"\x04\x11\x00"
    with pytest.raises(VideoError, match=r"^UNSUPPORTED_PIXELS: the frame has 4 components"):
        codec.decode(memoryview(bytes(jpeg)), header_of(sonosite))


def test_pydicom_finds_the_same_streams(sonosite: bytes, jpegs: list[bytes]) -> None:
    # Guards the fixture that other tests trust: 30 streams, each from start to end of image.
    assert dcmread(io.BytesIO(sonosite)).NumberOfFrames == len(jpegs) == 30
    assert all(jpeg[:2] == b"\xff\xd8" and b"\xff\xd9" in jpeg[-3:] for jpeg in jpegs)
