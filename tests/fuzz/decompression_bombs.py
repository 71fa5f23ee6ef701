"""Small files that claim to be large ones."""

import struct
import zlib
from functools import cache
from random import Random

from fuzz.inconsistent_headers import PIXELS


def deflated_bomb(data: bytes, random: Random) -> bytes | None:
    """Replace the data set by one that inflates to up to 700 MB: of pixels, or of one element before them."""
    rows = random.choice((1, 512, 2000))
    header = b"".join(
        struct.pack("<HH2sHH", 0x0028, element, b"US", 2, value)
        for element, value in ((2, 1), (0x10, rows), (0x11, 512), (0x100, 8), (0x101, 8), (0x103, 0))
    )
    header = header[:10] + b"\x28\x00\x04\x00CS\x0c\x00MONOCHROME2 " + header[10:]
    megabytes = random.choice((1, 10, 100, 300, 500, 513, 700))
    tag = random.choice((PIXELS, PIXELS, b"\x08\x00\x08\x00"))
    body = tag + b"OB\x00\x00" + struct.pack("<I", megabytes << 20)
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    start = deflater.compress(header + body) + deflater.flush(zlib.Z_FULL_FLUSH)
    syntax = b"1.2.840.10008.1.2.1.99"
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(syntax)) + syntax
    return (data[:128].ljust(128, b"\0")) + b"DICM" + meta + start + _mebibyte_of_zeros() * megabytes


@cache
def _mebibyte_of_zeros() -> bytes:
    """Deflate a mebibyte so that it can be repeated: a full flush forgets what came before."""
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    deflater.compress(b"\0")
    deflater.flush(zlib.Z_FULL_FLUSH)
    return deflater.compress(bytes(1 << 20)) + deflater.flush(zlib.Z_FULL_FLUSH)
