"""Bytes after the end of a frame's stream, for every codec: ignored; but a cut-off stream is refused."""

import struct
from collections.abc import Callable
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import RLELossless

from panecho_preprocessing import ClipOptions, VideoError, video_clips
from support.reading import frames_of, with_transfer_syntax

START = "1.2.840.10008.1.2.4."
Pixels = NDArray[np.uint8]
Encode = Callable[[Pixels], bytes]


def jpeg(pixels: Pixels, *settings: int) -> bytes:
    return cv2.imencode(".jpg", pixels, settings)[1].tobytes()


def lossless_jpeg(pixels: Pixels) -> bytes:
    colour = "RGB" if pixels.ndim == 3 else "GRAYSCALE"
    return bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, colorspace=colour, outcolorspace=colour))


def without_lengths(codestream: bytes) -> bytes:
    """Set the length of the only tile-part to 0: up to the end of the codestream (T.800 A.4.2)."""
    tile = codestream.index(b"\xff\x90")
    return codestream[: tile + 6] + bytes(4) + codestream[tile + 10 :]


def rle(pixels: Pixels) -> bytes:
    layout: dict[str, Any] = {
        "rows": pixels.shape[0],
        "columns": pixels.shape[1],
        "number_of_frames": 1,
        "planar_configuration": 0,
        "samples_per_pixel": 3 if pixels.ndim == 3 else 1,
        "bits_allocated": 8,
        "bits_stored": 8,
        "photometric_interpretation": "RGB" if pixels.ndim == 3 else "MONOCHROME2",
        "pixel_representation": 0,
    }
    return bytes(get_encoder(RLELossless).encode(pixels.tobytes(), index=0, **layout))


CODECS: dict[str, tuple[str, Encode]] = {
    "JPEG": (f"{START}50", jpeg),
    "progressive JPEG": (f"{START}50", lambda pixels: jpeg(pixels, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
    "JPEG with restarts": (f"{START}50", lambda pixels: jpeg(pixels, cv2.IMWRITE_JPEG_RST_INTERVAL, 5)),
    "lossless JPEG": (f"{START}70", lossless_jpeg),
    "JPEG-LS": (f"{START}80", lambda pixels: bytes(imagecodecs.jpegls_encode(pixels))),
    "JPEG 2000": (f"{START}90", lambda p: bytes(imagecodecs.jpeg2k_encode(p, level=0, codecformat="j2k"))),
    "JPEG 2000 without lengths": (f"{START}90", lambda pixels: without_lengths(CODECS["JPEG 2000"][1](pixels))),
    "JP2": (f"{START}91", lambda p: bytes(imagecodecs.jpeg2k_encode(p, level=0, codecformat="jp2"))),
    "JPEG XL": (f"{START}110", lambda p: bytes(imagecodecs.jpegxl_encode(p, lossless=True, effort=1))),
    "RLE": (RLELossless, rle),
}
MARKED = [name for name in CODECS if name not in ("JPEG XL", "RLE")]

random = np.random.default_rng(8)
TAILS = {
    **{f"{count} zeros": bytes(count) for count in (1, 2, 63, 64, 65, 300, 5001)},
    "300 x FF": b"\xff" * 300,
    "noise": random.integers(0, 256, 4000, np.uint8).tobytes(),
    "text": b"made by a converter " * 20,
}


@pytest.fixture(params=["grey", "colour"])
def image(request: pytest.FixtureRequest, bgr: Pixels) -> Pixels:
    return np.ascontiguousarray(bgr[3, 40:150, 50:200, 1] if request.param == "grey" else bgr[3, 40:150, 50:200])


@pytest.fixture
def two_frames(data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes]) -> Callable[..., bytes]:
    """Write two frames of streams as they are."""

    def write(image: Pixels, syntax: str, stream: bytes, declared: int | None = 2) -> bytes:
        file = data_set(np.stack([image] * 2), NumberOfFrames=declared)
        file.PixelData = encapsulate([stream, stream], has_bot=False)
        file["PixelData"].VR, file["PixelData"].is_undefined_length = "OB", True
        return with_transfer_syntax(saved(file), syntax)

    return write


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("declared", [2, None])
def test_bytes_after_the_end_change_nothing(
    name: str, declared: int | None, image: Pixels, two_frames: Callable[..., bytes]
) -> None:
    syntax, encode = CODECS[name]
    stream = encode(image)
    expected = frames_of(two_frames(image, syntax, stream))
    for name_of_tail, tail in TAILS.items():
        found = frames_of(two_frames(image, syntax, stream + tail, declared))
        np.testing.assert_array_equal(found, expected, err_msg=name_of_tail)


@pytest.mark.parametrize("name", MARKED)
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, 0.99])
def test_a_stream_that_is_cut_off_before_them_is_refused(
    name: str, keep: float, image: Pixels, two_frames: Callable[..., bytes]
) -> None:
    syntax, encode = CODECS[name]
    stream = encode(image)
    for tail in ("300 zeros", "5001 zeros", "300 x FF", "text", ""):
        cut = stream[: int(len(stream) * keep)] + TAILS.get(tail, b"")
        with pytest.raises(VideoError, match=r"^CORRUPT_FRAME: frame 0: the compressed frame is cut off$"):
            frames_of(two_frames(image, syntax, cut))


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, 0.99])
def test_a_cut_off_rle_frame_says_what_is_missing(keep: float, image: Pixels, two_frames: Callable[..., bytes]) -> None:
    stream = rle(image)
    count, *offsets = struct.unpack_from("<16I", stream)
    cut = max(int(len(stream) * keep), offsets[count - 1])
    with pytest.raises(VideoError, match=r"^CORRUPT_FRAME: frame 0: the RLE frame is cut off: a segment holds \d+ of"):
        frames_of(two_frames(image, RLELossless, stream[:cut]))


def test_an_end_marker_inside_a_thumbnail_does_not_count(image: Pixels, two_frames: Callable[..., bytes]) -> None:
    stream = jpeg(image)
    thumbnail = jpeg(cv2.resize(image, (16, 12)).astype(np.uint8))
    with_thumbnail = stream[:2] + struct.pack(">HH", 0xFFE1, len(thumbnail) + 2) + thumbnail + stream[2:]
    expected = frames_of(two_frames(image, f"{START}50", stream))
    np.testing.assert_array_equal(frames_of(two_frames(image, f"{START}50", with_thumbnail + bytes(300))), expected)
    with pytest.raises(VideoError, match=r"cut off$"):
        frames_of(two_frames(image, f"{START}50", with_thumbnail[:-200] + bytes(300)))


def test_the_reported_file(field: Callable[[str], bytes]) -> None:
    expected = video_clips(field("reference_jpeg.dcm"), ClipOptions())
    np.testing.assert_array_equal(video_clips(field("jpeg_300_bytes_after_eoi.dcm"), ClipOptions()), expected)
