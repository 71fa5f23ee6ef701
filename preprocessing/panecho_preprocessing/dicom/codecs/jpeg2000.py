"""JPEG 2000 and High-Throughput JPEG 2000 frames, decoded by OpenJPEG.

Transfer syntaxes 1.2.840.10008.1.2.4.90, .91, .201, .202 and .203.
"""

import struct
from dataclasses import dataclass

import imagecodecs

from panecho_preprocessing.dicom.codecs.codec import Codec, Decoded, check_size
from panecho_preprocessing.dicom.codecs.jpeg_stream import check_complete
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode

_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_CODING_STYLE = 0xFF52
_START_OF_TILE = 0xFF90

# Scanners write one tile a frame; OpenJPEG takes memory and time for every tile announced.
_MAX_TILES = 64


@dataclass(frozen=True, slots=True)
class _Codestream:
    """The parts of the SIZ and COD markers that are used here (ITU-T T.800 A.5.1, A.6.1)."""

    rows: int
    columns: int
    tiles: int
    components: int
    precision: int
    transformed: bool


def starts_frame(fragment: memoryview) -> bool:
    """Whether a fragment starts a codestream, bare as in DICOM or in a JP2 file."""
    return bytes(fragment[:4]) == _START_OF_CODESTREAM or bytes(fragment[4:8]) == b"jP  "


def decode(data: memoryview, header: Header) -> Decoded:
    """Decode one frame, errors as `jpeg.decode`, and TOO_LARGE."""
    stream = _read_codestream(data, header)
    samples = imagecodecs.jpeg2k_decode(bytes(data), numthreads=1)
    # OpenJPEG undoes the stream's component transform, whatever the header calls its result.
    colours = "RGB" if stream.transformed else None
    return Decoded(samples.view(f"u{samples.itemsize}"), stream.precision, colours)


def _read_codestream(data: memoryview, header: Header) -> _Codestream:
    head = bytes(data[:4096])
    start = head.find(_START_OF_CODESTREAM)
    if start < 0 or len(head) < start + 44:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "no JPEG 2000 codestream is where a frame should be")
    stream = _parse(head, start)
    check_size(stream.rows, stream.columns, header)
    if stream.components != header.samples:
        raise VideoError(
            VideoErrorCode.UNSUPPORTED_PIXELS,
            f"the frame has {stream.components} components, the header says {header.samples}",
        )
    if stream.tiles > _MAX_TILES:
        raise VideoError(VideoErrorCode.TOO_LARGE, f"the frame has {stream.tiles} tiles, more than {_MAX_TILES}")
    check_complete(data)
    return stream


def _parse(head: bytes, start: int) -> _Codestream:
    right, bottom, left, top = struct.unpack_from(">IIII", head, start + 8)
    tile_width, tile_height, tiles_left, tiles_top = struct.unpack_from(">IIII", head, start + 24)
    (components,) = struct.unpack_from(">H", head, start + 40)
    tiles = -((tiles_left - right) // max(tile_width, 1)) * -((tiles_top - bottom) // max(tile_height, 1))
    return _Codestream(
        rows=bottom - top,
        columns=right - left,
        tiles=tiles,
        components=components,
        precision=(head[start + 42] & 0x7F) + 1,
        transformed=components == 3 and _has_component_transform(head, start + 2),
    )


def _has_component_transform(head: bytes, position: int) -> bool:
    while position + 4 <= len(head):
        marker, length = struct.unpack_from(">HH", head, position)
        if marker == _CODING_STYLE and position + 9 <= len(head):
            return bool(head[position + 8])
        if marker == _START_OF_TILE or length < 2:
            break
        position += 2 + length
    return False


CODEC = Codec(starts_frame, decode)
