"""DICOM cines: which codec reads which transfer syntax. A further codec is one more file and one more line here."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)

from panecho_preprocessing import colour, jpeg, rle
from panecho_preprocessing.encapsulated import split_frames
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Frame
from panecho_preprocessing.header import Header, read_header
from panecho_preprocessing.native import NativeFrames

_NATIVE = {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}

# What to do with the compressions that are not read, by the start of their UID (PS3.6 annex A).
_ADVICE = {
    "1.2.840.10008.1.2.4.5": "decompress the file first, for example with dcmdjpeg",  # JPEG
    "1.2.840.10008.1.2.4.7": "decompress the file first, for example with dcmdjpeg",  # JPEG lossless
    "1.2.840.10008.1.2.4.8": "decompress the file first, for example with dcmdjpls",  # JPEG-LS
    "1.2.840.10008.1.2.4.9": "decompress the file first, for example with gdcmconv --raw",  # JPEG 2000
    "1.2.840.10008.1.2.4.10": "send the MPEG or MP4 stream inside it as a file",
}
# PS3.6 names that pydicom 3.0 does not know.
_NAMES = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
}
_ADVICE_FOR_OTHERS = "convert the file to Explicit VR Little Endian (uncompressed) or JPEG Baseline first"


@dataclass(frozen=True, slots=True)
class DicomCine:
    """The frames of one DICOM file."""

    count: int
    decode: Callable[[int], Frame]

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Decode the frames asked for and no others.

        Raises:
            VideoError: what the codec raised, with the frame's number; CORRUPT_FRAME for anything unforeseen.
        """
        for index in indices:
            try:
                frame = self.decode(index)
            except VideoError as error:
                raise VideoError(error.code, f"frame {index}: {error.reason}") from None
            except Exception as error:  # noqa: BLE001  # libraries raise many kinds on broken data
                kind = type(error).__name__
                raise VideoError(VideoErrorCode.CORRUPT_FRAME, f"frame {index} cannot be decoded ({kind})") from None
            yield frame

    def close(self) -> None:
        """Nothing is held open."""


def open_dicom(data: memoryview) -> DicomCine:
    """Read the header and find the frames; none is decoded yet.

    Raises:
        VideoError: the file cannot be used.
        Exception: whatever pydicom raises on a broken file.
    """
    header = read_header(data)
    syntax = header.transfer_syntax
    if syntax in _NATIVE or (syntax is None and not header.undefined_length):
        return _native(header)
    if syntax == JPEGBaseline8Bit:
        encoded = split_frames(header, jpeg.starts_frame)
        return DicomCine(_at_least_one(len(encoded)), lambda index: jpeg.decode(encoded[index], header))
    if syntax == RLELossless:
        encoded = split_frames(header, rle.starts_frame)
        to_frame = colour.converter(header)
        return DicomCine(_at_least_one(len(encoded)), lambda index: to_frame(rle.decode(encoded[index], header)))
    raise _unsupported(syntax)


def _native(header: Header) -> DicomCine:
    stored = NativeFrames(header)
    to_frame = colour.converter(header)
    return DicomCine(stored.count, lambda index: to_frame(stored.decode(index)))


def _at_least_one(count: int) -> int:
    if count == 0:
        raise VideoError(VideoErrorCode.TRUNCATED, "the file holds no complete frame")
    return count


def _unsupported(syntax: UID | None) -> VideoError:
    code = VideoErrorCode.UNSUPPORTED_TRANSFER_SYNTAX
    if syntax is None or not re.fullmatch(r"[0-9.]{1,64}", syntax):
        return VideoError(code, f"the file names no valid transfer syntax; {_ADVICE_FOR_OTHERS}")
    name = _NAMES.get(syntax, UID(syntax).name)
    shown = f"{syntax} ({name if name != syntax else 'private or unknown'})"
    advice = next((_ADVICE[start] for start in _ADVICE if syntax.startswith(start)), _ADVICE_FOR_OTHERS)
    return VideoError(code, f"transfer syntax {shown} is not read; {advice}")
