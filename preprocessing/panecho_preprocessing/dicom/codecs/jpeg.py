"""JPEG frames: baseline, extended and lossless (transfer syntaxes 1.2.840.10008.1.2.4.50, .51, .57 and .70).

OpenCV's libjpeg-turbo decodes what it can, which is 8-bit baseline and extended; imagecodecs' decodes the rest.
"""

import struct

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.dicom.codecs.codec import Codec, Decoded
from panecho_preprocessing.dicom.codecs.jpeg_stream import JpegStream, read_stream, starts_frame
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode

# APP14 "Adobe", version 100, no flags, transform 0: the components are red, green and blue as they stand.
_NO_COLOUR_TRANSFORM = struct.pack(">HH5sHHHB", 0xFFEE, 14, b"Adobe", 100, 0, 0, 0)

# Decoding at a fraction of the size: libjpeg computes fewer pixels of each block.
_COLOUR = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
_GREY = {1: cv2.IMREAD_GRAYSCALE, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4}


def decode(data: memoryview, header: Header) -> Decoded:
    """Decode one frame.

    Raises:
        VideoError: SIZE_MISMATCH, UNSUPPORTED_PIXELS or CORRUPT_FRAME.
    """
    stream = read_stream(data, header)
    if stream.is_dct and stream.precision == 8:
        return _decode_lossy(stream, header, 1)
    if stream.is_dct and len(stream.components) == 3:
        raise VideoError(VideoErrorCode.UNSUPPORTED_PIXELS, f"JPEG colour of {stream.precision} bits is not read")
    as_stored = "GRAYSCALE" if len(stream.components) == 1 else "RGB"  # from RGB to RGB: no conversion
    samples = imagecodecs.jpeg8_decode(bytes(stream.data), colorspace=as_stored, outcolorspace=as_stored)
    return Decoded(samples, stream.precision)


def decode_reduced(data: memoryview, header: Header, factor: int) -> Decoded:
    """Decode one frame at `1 / factor` of its size, rounded up; only lossy frames of 8 bits. Errors as `decode`."""
    stream = read_stream(data, header)
    if not stream.is_dct or stream.precision != 8:
        raise VideoError(VideoErrorCode.UNSUPPORTED_PIXELS, "not a baseline JPEG frame; use decode_scale=full")
    return _decode_lossy(stream, header, factor)


def _decode_lossy(stream: JpegStream, header: Header, factor: int) -> Decoded:
    """Decode a lossy frame of 8 bits. The stream's own colour markers win over the header, as in pydicom."""
    if len(stream.components) == 1:
        return Decoded(_imdecode(stream.data, _GREY[factor]), 8)
    data = stream.data
    if header.photometric == "RGB" and not stream.names_its_colours:
        data = memoryview(b"".join((data[:2], _NO_COLOUR_TRANSFORM, data[2:])))
    return Decoded(_imdecode(data, _COLOUR[factor]), 8, "BGR")


def _imdecode(data: memoryview, mode: int) -> NDArray[np.uint8]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "the JPEG frame cannot be decoded")
    return np.asarray(decoded, dtype=np.uint8)


CODEC = Codec(starts_frame, decode)
BASELINE = Codec(starts_frame, decode, decode_reduced)
