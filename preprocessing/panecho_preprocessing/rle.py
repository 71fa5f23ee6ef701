"""RLE Lossless frames (transfer syntax 1.2.840.10008.1.2.5, DICOM PS3.5 annex G), decoded by pydicom."""

import struct
from typing import Any

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import RLELossless

from panecho_preprocessing.encapsulated import EncodedFrame
from panecho_preprocessing.header import Header
from panecho_preprocessing.native import Samples


def starts_frame(fragment: memoryview) -> bool:
    """Whether a fragment begins with an RLE header: up to 15 segments, the first right behind the 64-byte header."""
    if len(fragment) < 64:
        return False
    segments, first = struct.unpack_from("<II", fragment)
    return bool(1 <= segments <= 15 and first == 64)


def decode(encoded: EncodedFrame, header: Header) -> Samples:
    """Decode one frame.

    Returns:
        The samples as stored, before any colour conversion: [rows, columns] or [rows, columns, 3], 8 or 16 bits.

    Raises:
        RuntimeError: the frame does not hold the samples that the header announces.
    """
    layout: dict[str, Any] = {
        "number_of_frames": 1,
        "rows": header.rows,
        "columns": header.columns,
        "samples_per_pixel": header.samples,
        "planar_configuration": 1,
        "photometric_interpretation": "MONOCHROME2" if header.samples == 1 else "RGB",
        "bits_allocated": header.bits_allocated,
        "bits_stored": header.bits_allocated,
        "pixel_representation": 0,
        "pixel_keyword": "PixelData",
    }
    samples, _ = get_decoder(RLELossless).as_array(encapsulate([b"".join(encoded)]), index=0, raw=True, **layout)
    return np.asarray(samples)
