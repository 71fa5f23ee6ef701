"""JPEG 2000 and High-Throughput JPEG 2000 frames, decoded by OpenJPEG.

Transfer syntaxes 1.2.840.10008.1.2.4.90, .91, .201, .202 and .203.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import imagecodecs

from panecho_preprocessing.dicom.codecs.codec import Codec, Decoded, check_size
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode

_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_CODING_STYLE = 0xFF52
_START_OF_TILE = 0xFF90
_END = 0xFFD9
_END_OF_CODESTREAM = _END.to_bytes(2, "big")
_TAIL = 64  # bytes in which the end is found without walking over the tiles

# Scanners write one tile a frame; OpenJPEG takes memory and time for every tile announced.
_MAX_TILES = 64


@dataclass(frozen=True, slots=True)
class _Codestream:
    """A codestream, without the bytes after its end, and its SIZ and COD markers (ITU-T T.800 A.5.1, A.6.1)."""

    data: memoryview
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
    samples = imagecodecs.jpeg2k_decode(bytes(stream.data), numthreads=1)
    # OpenJPEG undoes the stream's component transform, whatever the header calls its result.
    colours = "RGB" if stream.transformed else None
    return Decoded(samples.view(f"u{samples.itemsize}"), stream.precision, colours)


def _read_codestream(data: memoryview, header: Header) -> _Codestream:
    head = bytes(data[:4096])
    start = head.find(_START_OF_CODESTREAM)
    if start < 0 or len(head) < start + 44:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "no JPEG 2000 codestream is where a frame should be")
    stream = _parse(data, head, start)
    check_size(stream.rows, stream.columns, header)
    if stream.components != header.samples:
        raise VideoError(
            VideoErrorCode.UNSUPPORTED_PIXELS,
            f"the frame has {stream.components} components, the header says {header.samples}",
        )
    if stream.tiles > _MAX_TILES:
        raise VideoError(VideoErrorCode.TOO_LARGE, f"the frame has {stream.tiles} tiles, more than {_MAX_TILES}")
    return replace(stream, data=_complete(data, start))


def _parse(data: memoryview, head: bytes, start: int) -> _Codestream:
    right, bottom, left, top = struct.unpack_from(">IIII", head, start + 8)
    tile_width, tile_height, tiles_left, tiles_top = struct.unpack_from(">IIII", head, start + 24)
    (components,) = struct.unpack_from(">H", head, start + 40)
    tiles = -((tiles_left - right) // max(tile_width, 1)) * -((tiles_top - bottom) // max(tile_height, 1))
    return _Codestream(
        data=data,
        rows=bottom - top,
        columns=right - left,
        tiles=tiles,
        components=components,
        precision=(head[start + 42] & 0x7F) + 1,
        transformed=components == 3 and _has_component_transform(data, start),
    )


def _has_component_transform(data: memoryview, start: int) -> bool:
    for marker, position in _main_header(data, start):
        if marker == _CODING_STYLE and position + 9 <= len(data):
            return bool(data[position + 8])
    return False


def _complete(data: memoryview, start: int) -> memoryview:
    """Return a codestream without the bytes after its end: walk over its tile-parts, which state their lengths."""
    if _END_OF_CODESTREAM in bytes(data[max(start, len(data) - _TAIL) :]):
        return data
    *_, (marker, position) = _main_header(data, start)
    while marker == _START_OF_TILE and position + 10 <= len(data):
        (length,) = struct.unpack_from(">I", data, position + 6)
        # 0: the last tile-part, in whose packets no FF is followed by more than 8F.
        position = position + length if length else bytes(data).find(_END_OF_CODESTREAM, position)
        marker = int.from_bytes(data[position : position + 2], "big")
    if marker != _END:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, "the compressed frame is cut off")
    return data[: position + 2]


def _main_header(data: memoryview, start: int) -> Iterator[tuple[int, int]]:
    """Yield the markers before the first tile, and that of the tile, with their positions (T.800 A.3)."""
    position = start + 2
    while position + 4 <= len(data):
        marker, length = struct.unpack_from(">HH", data, position)
        yield marker, position
        if marker == _START_OF_TILE or length < 2:
            return
        position += 2 + length


CODEC = Codec(starts_frame, decode)
