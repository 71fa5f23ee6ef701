"""Mutations that know the format: a value is changed so that it no longer fits the rest of the file.

Each takes the file and a source of randomness, and returns the changed file, or None where there is nothing to change.
"""

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple, TypeAlias

Mutation: TypeAlias = Callable[[bytes, Random], bytes | None]

NUMBERS = (0, 1, 2, 3, 4, 7, 8, 9, 12, 15, 16, 17, 32, 63, 64, 255, 256, 4095, 4096, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
LENGTHS = (0, 1, 2, 3, 7, 8, 63, 64, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF)
_TAGS = {  # of elements that hold an unsigned number of two bytes
    "SamplesPerPixel": 0x00280002,
    "PlanarConfiguration": 0x00280006,
    "Rows": 0x00280010,
    "Columns": 0x00280011,
    "BitsAllocated": 0x00280100,
    "BitsStored": 0x00280101,
    "HighBit": 0x00280102,
    "PixelRepresentation": 0x00280103,
    "RedPaletteColorLookupTableDescriptor": 0x00281101,
    "RegionLocationMinX0": 0x00186018,
    "RegionLocationMinY0": 0x0018601A,
    "RegionLocationMaxX1": 0x0018601C,
    "RegionLocationMaxY1": 0x0018601E,
    "RegionSpatialFormat": 0x00186012,
    "RegionDataType": 0x00186014,
}
_FRAMES = (
    *(b"0", b"1", b"-1", b"2", b"4", b"6", b"9999", b"999999999"),
    *(b"1e9", b"1A", b"", b"1\\2", b"9" * 20, b"\xff" * 6),
)
_PHOTOMETRIC = (
    *(b"MONOCHROME1", b"MONOCHROME2", b"PALETTE COLOR", b"RGB", b"YBR_FULL", b"YBR_FULL_422", b"YBR_PARTIAL_420"),
    *(b"YBR_ICT", b"YBR_RCT", b"ARGB", b"", b"rgb", b"X" * 300, b"\x00\xff\xfe"),
)
_SYNTAXES = (
    *(b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2"),
    *(b"1.2.840.10008.1.2.5", b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.4.51", b"1.2.840.10008.1.2.4.57"),
    *(b"1.2.840.10008.1.2.4.70", b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.4.81", b"1.2.840.10008.1.2.4.90"),
    *(b"1.2.840.10008.1.2.4.91", b"1.2.840.10008.1.2.4.100", b"1.2.840.10008.1.2.4.102", b"1.2.840.10008.1.2.4.110"),
    *(b"1.2.840.10008.1.2.4.111", b"1.2.840.10008.1.2.4.201", b"1.2.840.10008.1.2.8.1", b"1.2.3", b"", b"nonsense\xff"),
)
_BOXES = (
    *(b"stsz", b"stco", b"stts", b"stsc", b"stsd", b"mvhd", b"tkhd", b"mdhd", b"mp4v", b"esds", b"moov", b"mdat"),
    *(b"avih", b"strh", b"strf", b"idx1", b"movi", b"RIFF", b"LIST", b"00dc", b"hdrl"),  # AVI calls them chunks
)
_ITEM = b"\xfe\xff\x00\xe0"
PIXELS = b"\xe0\x7f\x10\x00"


class _Element(NamedTuple):
    """Where an element of a little endian file lies: `length_size` bytes of length end at `value`."""

    start: int
    value: int
    end: int
    length_size: int


def number(data: bytes, random: Random) -> bytes | None:
    """Change a number of the header: sizes, bits, a region's corners."""
    element = _find(data, random.choice([*_TAGS.values()]))
    if element is None or element.end < element.value + 2:
        return None
    (old,) = struct.unpack_from("<H", data, element.value)
    new = random.choice([*NUMBERS, old + 1, old - 1, old * 2, old // 2]) & 0xFFFF
    return _overwrite(data, element.value, struct.pack("<H", new))


def text(data: bytes, random: Random) -> bytes | None:
    """Change NumberOfFrames, PhotometricInterpretation or the transfer syntax."""
    tag, values = random.choice([(0x00280008, _FRAMES), (0x00280004, _PHOTOMETRIC), (0x00020010, _SYNTAXES)])
    element, new = _find(data, tag), random.choice(values)
    if element is None:
        return None
    new += b" " * (len(new) % 2)
    length = struct.pack("<H" if element.length_size == 2 else "<I", len(new))
    return data[: element.value - element.length_size] + length + new + data[element.end :]


def element_length(data: bytes, random: Random) -> bytes | None:
    """Change how long an element of the header claims to be."""
    element = _find(data, random.choice([*_TAGS.values(), 0x00280008, 0x00280004, 0x00020010, 0x00020000, 0x00186011]))
    if element is None:
        return None
    size = element.length_size
    new = random.choice(LENGTHS) & (1 << 8 * size) - 1
    return _overwrite(data, element.value - size, new.to_bytes(size, "little"))


def pixel_length(data: bytes, random: Random) -> bytes | None:
    """Change the VR or the length of the pixel data."""
    start = data.rfind(PIXELS)
    if start < 0:
        return None
    if random.random() < 0.3:
        return _overwrite(data, start + 4, random.choice((b"OB", b"OW", b"UN", b"SQ", b"\x00\x00")))
    return _overwrite(data, start + random.choice((4, 8)), struct.pack("<I", random.choice(LENGTHS)))


def item_length(data: bytes, random: Random) -> bytes | None:
    """Change how long a fragment claims to be."""
    start = _an_item(data, random)
    if start is None or start + 8 > len(data):
        return None
    (old,) = struct.unpack_from("<I", data, start + 4)
    new = random.choice([*LENGTHS, old + 1, old - 1, old + 2, old - 2, old // 2, old * 2]) & 0xFFFFFFFF
    return _overwrite(data, start + 4, struct.pack("<I", new))


def offset_table(data: bytes, random: Random) -> bytes | None:
    """Replace the basic offset table, or put an extended one before the pixels."""
    pixels = data.rfind(PIXELS)
    table = data.find(_ITEM, pixels)
    if pixels < 0 or not pixels <= table <= pixels + 12 or table + 8 > len(data):
        return None
    count = random.choice((1, 2, 5, 30, 65, 4000))
    offsets = [random.choice([*LENGTHS, random.randrange(len(data))]) for _ in range(count)]
    if random.random() < 0.3:
        head = b"\xe0\x7f\x01\x00OV\x00\x00" + struct.pack("<I", 8 * count)
        return data[:pixels] + head + struct.pack(f"<{count}Q", *offsets) + data[pixels:]
    (old,) = struct.unpack_from("<I", data, table + 4)
    new = struct.pack(f"<{count}I", *offsets)
    return data[: table + 4] + struct.pack("<I", len(new)) + new + data[table + 8 + old :]


def jpeg_frame_header(data: bytes, random: Random) -> bytes | None:
    """Change what a JPEG stream says of itself: marker, precision, sizes, components, sampling (T.81 B.2.2)."""
    starts = [at for kind in (0xC0, 0xC1, 0xC2, 0xC3, 0xF7) for at in _positions(data, bytes((0xFF, kind, 0)))]
    if not starts:
        return None
    field = random.choice(("marker", "length", "precision", "size", "size", "components", "sampling"))
    at, new = {
        "marker": (1, bytes([random.choice((0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA, 0xF7))])),
        "length": (2, struct.pack(">H", random.choice(NUMBERS))),
        "precision": (4, bytes([random.choice((0, 2, 7, 8, 9, 12, 16, 255))])),
        "size": (random.choice((5, 7)), struct.pack(">H", random.choice(NUMBERS))),
        "components": (9, bytes([random.choice((0, 1, 2, 3, 4, 5, 255))])),
        "sampling": (11 + 3 * random.randrange(3), random.randbytes(1)),
    }[field]
    return _overwrite_each(data, [start + at for start in _one_or_all(starts, random)], new)


def jpeg_2000_size(data: bytes, random: Random) -> bytes | None:
    """Change a JPEG 2000 stream's image or tile sizes, components or precision (ITU-T T.800 A.5.1)."""
    starts = _positions(data, b"\xff\x4f\xff\x51")
    if not starts:
        return None
    at = random.choice((4, 6, 8, 12, 16, 20, 24, 28, 32, 36, 40, 42, 44))
    number = random.choice([*LENGTHS, *NUMBERS])
    new = struct.pack(">I", number) if 8 <= at < 40 else struct.pack(">H", number & 0xFFFF)
    return _overwrite_each(data, [start + at for start in _one_or_all(starts, random)], new)


def rle_header(data: bytes, random: Random) -> bytes | None:
    """Change the number of RLE segments or where one of them begins (PS3.5 G.5)."""
    starts = [at for at in _positions(data, _ITEM) if data[at + 12 : at + 16] == b"\x40\x00\x00\x00"]
    if not starts:
        return None
    at, new = 8 + 4 * random.randrange(16), struct.pack("<I", random.choice([*LENGTHS, *NUMBERS]))
    return _overwrite_each(data, [start + at for start in _one_or_all(starts, random)], new)


def deep_sequence(data: bytes, random: Random) -> bytes | None:
    """Put sequences within sequences before an element of the header, most often of undefined length."""
    element = _find(data, random.choice((0x00280002, 0x00280010, 0x00020010)))
    if element is None:
        return None
    depth = random.choice((10, 100, 500, 1000, 5000, 50000))
    tag = random.choice((b"\x08\x00\x40\x11", b"\x18\x00\x11\x60"))  # ReferencedImageSequence, regions
    length = struct.pack("<I", random.choice((0xFFFFFFFF, 0xFFFFFFFF, 8, 1 << 20)))
    opened = (tag + b"SQ\x00\x00" + length + _ITEM + b"\xff\xff\xff\xff") * depth
    closed = (b"\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00") * random.choice((depth, 0))
    return data[: element.start] + opened + closed + data[element.start :]


def video_box(data: bytes, random: Random) -> bytes | None:
    """Change a number in or around a box of an MP4 or a chunk of an AVI."""
    starts = [at for name in _BOXES for at in _positions(data, name)]
    if not starts or not data.startswith((b"RIFF", b"\x00\x00\x00")):
        return None
    at = random.choice(sorted(starts)) + 4 * random.randrange(-1, 14)
    order = random.choice("<>")
    return _overwrite(data, max(0, at), struct.pack(f"{order}I", random.choice([*LENGTHS, *NUMBERS])))


def mpeg_header(data: bytes, random: Random) -> bytes | None:
    """Change the sequence header of an MPEG stream: size, aspect, rate."""
    start = data.find(b"\x00\x00\x01\xb3")
    return None if start < 0 else _overwrite(data, start + 4 + random.randrange(8), random.randbytes(2))


LIES: Sequence[Mutation] = (
    *(number, text, element_length, pixel_length, item_length, offset_table, jpeg_frame_header, rle_header),
    *(deep_sequence, video_box, mpeg_header, jpeg_2000_size),
)


def _find(data: bytes, tag: int) -> _Element | None:
    """Find an element of a little endian file by its bytes; the file need not be well formed."""
    start = data.find(struct.pack("<HH", tag >> 16, tag & 0xFFFF))
    if start < 0 or start + 12 > len(data):
        return None
    explicit = data[start + 4 : start + 6].isalpha()
    size = 2 if explicit and data[start + 4 : start + 6] not in (b"SQ", b"OB", b"OW", b"UN") else 4
    value = start + (8 if size == 2 or not explicit else 12)
    length = int.from_bytes(data[value - size : value], "little")
    return _Element(start, value, min(value + length, len(data)), size)


def _an_item(data: bytes, random: Random) -> int | None:
    starts = _positions(data, _ITEM)
    return random.choice(starts) if starts else None


def _positions(data: bytes, wanted: bytes) -> list[int]:
    positions: list[int] = []
    at = data.find(wanted)
    while at >= 0 and len(positions) < 1000:
        positions.append(at)
        at = data.find(wanted, at + 1)
    return positions


def _one_or_all(positions: list[int], random: Random) -> list[int]:
    """Choose one frame, which may be one that no clip needs, or all of them."""
    return positions if random.random() < 0.5 else [random.choice(sorted(positions))]


def _overwrite_each(data: bytes, starts: list[int], new: bytes) -> bytes:
    changed = bytearray(data)
    for start in starts:
        changed[start : start + len(new)] = new
    return bytes(changed)


def _overwrite(data: bytes, start: int, new: bytes) -> bytes:
    return data[:start] + new + data[start + len(new) :]
