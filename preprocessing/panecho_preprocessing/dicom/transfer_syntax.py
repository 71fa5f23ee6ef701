"""How each transfer syntax is decoded (DICOM PS3.5 annex A). A further codec is one file and one line here."""

import re
from collections.abc import Callable
from typing import NamedTuple

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    MPEGTransferSyntaxes,
    RLELossless,
)

from panecho_preprocessing.dicom.codecs import jpeg, jpeg2000, jpeg_stream, jpegls, jpegxl, rle
from panecho_preprocessing.dicom.encapsulated import EncodedFrame
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Frame

_START = "1.2.840.10008.1.2.4."
_JPEG_2000 = [f"{_START}{number}" for number in (90, 91, 201, 202, 203)]
_JPEG_XL = [f"{_START}{number}" for number in (110, 111, 112)]


class Codec(NamedTuple):
    """How one compression is read: where frames begin, and what decodes one."""

    starts_frame: Callable[[memoryview], bool]
    decoder: Callable[[Header], Callable[[EncodedFrame], Frame]]


NATIVE = {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
VIDEO = frozenset(MPEGTransferSyntaxes)
CODECS: dict[str, Codec] = {
    RLELossless: Codec(rle.starts_frame, rle.decoder),
    **dict.fromkeys(JPEGTransferSyntaxes, Codec(jpeg_stream.starts_frame, jpeg.decoder)),
    **dict.fromkeys(JPEGLSTransferSyntaxes, Codec(jpeg_stream.starts_frame, jpegls.decoder)),
    **dict.fromkeys(_JPEG_2000, Codec(jpeg2000.starts_frame, jpeg2000.decoder)),
    **dict.fromkeys(_JPEG_XL, Codec(jpegxl.starts_frame, jpegxl.decoder)),
}


def unsupported(syntax: UID | None) -> VideoError:
    """Return the error for a transfer syntax that is in none of the tables above."""
    code = VideoErrorCode.UNSUPPORTED_TRANSFER_SYNTAX
    advice = "convert the file to Explicit VR Little Endian (uncompressed) or JPEG Baseline first"
    if syntax is None or not re.fullmatch(r"[0-9.]{1,64}", syntax):
        return VideoError(code, f"the file names no valid transfer syntax; {advice}")
    name = UID(syntax).name
    shown = f"{syntax} ({name if name != syntax else 'private or unknown'})"
    return VideoError(code, f"transfer syntax {shown} is not read; {advice}")
