"""JPEG XL frames (transfer syntaxes 1.2.840.10008.1.2.4.110, .111 and .112), decoded by libjxl."""

import struct
from collections.abc import Iterator

import imagecodecs

from panecho_preprocessing.dicom.codecs.codec import Codec, Decoded, check_size
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode

_CODESTREAM = b"\xff\x0a"
_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_SIZE_BYTES = 12  # the marker, and 80 bits, of which a size takes at most 71
# Width to height, by the number that a codestream's size header gives (ISO/IEC 18181-1, table of ratios).
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def starts_frame(fragment: memoryview) -> bool:
    """Whether a fragment starts a codestream, bare or in its container."""
    return bytes(fragment[:2]) == _CODESTREAM or bytes(fragment[:12]) == _CONTAINER


def decode(data: memoryview, header: Header) -> Decoded:
    """Decode one frame, errors as `jpeg.decode`; libjxl gives colour as RGB."""
    check_size(*_size(_codestream(data)), header)
    samples = imagecodecs.jpegxl_decode(bytes(data), numthreads=1)
    return Decoded(samples, header.bits_stored, "RGB" if header.samples == 3 else None)


def _codestream(data: memoryview) -> bytes:
    """Return the first bytes of the codestream, which a container holds in a `jxlc` box or in `jxlp` boxes."""
    if bytes(data[:2]) == _CODESTREAM:
        return bytes(data[:_SIZE_BYTES])
    first = b""
    for kind, content in _boxes(data):
        if kind in (b"jxlc", b"jxlp"):
            first += bytes(content[4 if kind == b"jxlp" else 0 :][:_SIZE_BYTES])
        if len(first) >= _SIZE_BYTES:
            break
    return first


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    position = 0
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        yield kind, data[position + 8 : position + length if length else len(data)]
        if length < 8:  # 0: to the end of the file; 1: longer than any frame
            return
        position += length


def _size(codestream: bytes) -> tuple[int, int]:
    """Return rows and columns of the size header, which comes first in a codestream (18181-1 D.2)."""
    if codestream[:2] != _CODESTREAM or len(codestream) < _SIZE_BYTES:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "the JPEG XL codestream does not start with its size")
    bits = _Bits(int.from_bytes(codestream[2:], "little"))
    small = bits.take(1)
    rows = _dimension(bits, small=small)
    ratio = bits.take(3)
    if ratio == 0:
        return rows, _dimension(bits, small=small)
    width, height = _RATIOS[ratio - 1]
    return rows, rows * width // height


def _dimension(bits: "_Bits", *, small: int) -> int:
    if small:
        return (bits.take(5) + 1) * 8
    return bits.take((9, 13, 18, 30)[bits.take(2)]) + 1


class _Bits:
    """Bits of a number, least significant first."""

    def __init__(self, number: int) -> None:
        self._number = number

    def take(self, count: int) -> int:
        taken = self._number & ((1 << count) - 1)
        self._number >>= count
        return taken


CODEC = Codec(starts_frame, decode)
