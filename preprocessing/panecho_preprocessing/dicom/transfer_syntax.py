"""Which codec reads which transfer syntax (DICOM PS3.5 annex A). A new codec is one file and one line here."""

import re

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    MPEGTransferSyntaxes,
    RLELossless,
)

from panecho_preprocessing.dicom.codecs import jpeg, jpeg2000, jpegls, jpegxl, rle
from panecho_preprocessing.dicom.codecs.codec import Codec
from panecho_preprocessing.dicom.codecs.jpeg_stream import is_jpegls
from panecho_preprocessing.errors import VideoError, VideoErrorCode

_START = "1.2.840.10008.1.2.4."
_JPEG_2000 = [f"{_START}{number}" for number in (90, 91, 201, 202, 203)]
_JPEG_XL = [f"{_START}{number}" for number in (110, 111, 112)]

NATIVE = {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
VIDEO = frozenset(MPEGTransferSyntaxes)
CODECS: dict[str, Codec] = {
    RLELossless: rle.CODEC,
    **dict.fromkeys(JPEGTransferSyntaxes, jpeg.CODEC),
    JPEGBaseline8Bit: jpeg.BASELINE,
    **dict.fromkeys(JPEGLSTransferSyntaxes, jpegls.CODEC),
    **dict.fromkeys(_JPEG_2000, jpeg2000.CODEC),
    **dict.fromkeys(_JPEG_XL, jpegxl.CODEC),
}


def recognised(fragment: memoryview) -> Codec | None:
    """Return the codec of a stream by its first bytes; None for an unknown one.

    Converters change the transfer syntax and leave the stream, or the other way round.
    """
    for codec in (jpeg2000.CODEC, jpegxl.CODEC, rle.CODEC):
        if codec.starts_frame(fragment):
            return codec
    if not jpeg.CODEC.starts_frame(fragment):
        return None
    return jpegls.CODEC if is_jpegls(fragment) else jpeg.CODEC


def unsupported(syntax: UID | None) -> VideoError:
    """Return the error for a transfer syntax that none of the tables above names."""
    code = VideoErrorCode.UNSUPPORTED_TRANSFER_SYNTAX
    advice = "convert the file to Explicit VR Little Endian (uncompressed) or JPEG Baseline first"
    if syntax is None or not re.fullmatch(r"[0-9.]{1,64}", syntax):
        return VideoError(code, f"the file names no valid transfer syntax; {advice}")
    name = UID(syntax).name
    shown = f"{syntax} ({name if name != syntax else 'private or unknown'})"
    return VideoError(code, f"transfer syntax {shown} is not read; {advice}")
