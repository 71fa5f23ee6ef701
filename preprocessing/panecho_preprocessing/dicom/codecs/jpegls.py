"""JPEG-LS frames (transfer syntaxes 1.2.840.10008.1.2.4.80 and .81), decoded by CharLS."""

from collections.abc import Callable

import imagecodecs

from panecho_preprocessing.dicom import photometric
from panecho_preprocessing.dicom.codecs.jpeg_stream import read_stream
from panecho_preprocessing.dicom.encapsulated import EncodedFrame
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.frames import Frame


def decoder(header: Header) -> Callable[[EncodedFrame], Frame]:
    """Return what turns one frame's fragments into a frame; see `jpeg.decoder`. JPEG-LS knows no colour transform."""
    to_frame = photometric.converter_by_precision(header)

    def decode(encoded: EncodedFrame) -> Frame:
        stream = read_stream(encoded, header)
        return to_frame(imagecodecs.jpegls_decode(bytes(stream.data)), stream.precision)

    return decode
