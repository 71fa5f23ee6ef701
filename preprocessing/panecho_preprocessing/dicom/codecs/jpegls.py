"""JPEG-LS frames (transfer syntaxes 1.2.840.10008.1.2.4.80 and .81), decoded by CharLS."""

import imagecodecs

from panecho_preprocessing.dicom.codecs.codec import Codec, Decoded
from panecho_preprocessing.dicom.codecs.jpeg_stream import read_stream, starts_frame
from panecho_preprocessing.dicom.header import Header


def decode(data: memoryview, header: Header) -> Decoded:
    """Decode one frame, errors as `jpeg.decode`; JPEG-LS has no colour transform."""
    stream = read_stream(data, header)
    return Decoded(imagecodecs.jpegls_decode(bytes(stream.data)), stream.precision)


CODEC = Codec(starts_frame, decode)
