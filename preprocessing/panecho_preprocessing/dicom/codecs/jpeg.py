"""JPEG frames: baseline, extended and lossless (transfer syntaxes 1.2.840.10008.1.2.4.50, .51, .57 and .70).

OpenCV's libjpeg-turbo decodes what it can, which is 8-bit baseline and extended; imagecodecs' decodes the rest.
"""

import struct
from collections.abc import Callable
from dataclasses import replace

import cv2
import imagecodecs
import numpy as np

from panecho_preprocessing.dicom import photometric
from panecho_preprocessing.dicom.codecs.jpeg_stream import JpegStream, read_stream
from panecho_preprocessing.dicom.encapsulated import EncodedFrame
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.dicom.native import Samples
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Frame

# APP14 "Adobe", version 100, no flags, transform 0: the components are red, green and blue as they stand.
_NO_COLOUR_TRANSFORM = struct.pack(">HH5sHHHB", 0xFFEE, 14, b"Adobe", 100, 0, 0, 0)

# Decoding at a fraction of the size: libjpeg computes fewer pixels of each block.
_COLOUR = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
_GREY = {1: cv2.IMREAD_GRAYSCALE, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4}


def decoder(header: Header, reduction: int = 1) -> Callable[[EncodedFrame], Frame]:
    """Return what turns one frame's fragments into uint8 [rows, columns], or [rows, columns, 3] in BGR order.

    Rows and columns are divided by `reduction`: 1, 2 or 4; the latter are for lossy frames of 8 bits alone. What it
    returns raises VideoError: SIZE_MISMATCH, UNSUPPORTED_PIXELS or CORRUPT_FRAME.
    """
    rows, columns = -(-header.rows // reduction), -(-header.columns // reduction)
    to_frame = photometric.converter_by_precision(replace(header, rows=rows, columns=columns))

    def decode(encoded: EncodedFrame) -> Frame:
        stream = read_stream(encoded, header)
        if stream.is_dct and len(stream.components) == 3:
            return _decode_colour(stream, header, reduction)
        if stream.is_dct and stream.precision == 8:
            return to_frame(_imdecode(stream.data, _GREY[reduction]), stream.precision)
        if reduction > 1:
            raise VideoError(VideoErrorCode.UNSUPPORTED_PIXELS, "not a baseline JPEG frame; use decode_scale=full")
        return to_frame(_decode_samples(stream), stream.precision)

    return decode


def _decode_colour(stream: JpegStream, header: Header, reduction: int) -> Frame:
    """Decode lossy colour. The stream's own account of its colours goes before the header's, as in pydicom."""
    if stream.precision != 8:
        raise VideoError(VideoErrorCode.UNSUPPORTED_PIXELS, f"JPEG colour of {stream.precision} bits is not read")
    data = stream.data
    if header.photometric == "RGB" and not stream.names_its_colours:
        data = memoryview(b"".join((data[:2], _NO_COLOUR_TRANSFORM, data[2:])))
    return _imdecode(data, _COLOUR[reduction])


def _decode_samples(stream: JpegStream) -> Samples:
    """Decode lossless components, or grey of 12 bits, as they are stored."""
    as_stored = "GRAYSCALE" if len(stream.components) == 1 else "RGB"  # from RGB to RGB: no conversion
    return imagecodecs.jpeg8_decode(bytes(stream.data), colorspace=as_stored, outcolorspace=as_stored)


def _imdecode(data: memoryview, mode: int) -> Frame:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "the JPEG frame cannot be decoded")
    return np.asarray(decoded, dtype=np.uint8)
