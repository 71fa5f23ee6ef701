"""What each file of this folder provides: how one compression is recognised and decoded."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode

Samples: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]


class Decoded(NamedTuple):
    """One frame's samples.

    Attributes:
        samples: [rows, columns], or [rows, columns, 3].
        precision: bits of a sample that are in use.
        colours: "RGB" or "BGR" where the library has already converted colours; None where the samples are what the
            header's PhotometricInterpretation says.
    """

    samples: Samples
    precision: int
    colours: str | None = None


class Codec(NamedTuple):
    """How one compression is read. A frame's fragments are joined before they are decoded.

    Attributes:
        starts_frame: whether a fragment is the first of a frame.
        decode: decodes one frame of a file.
        decode_reduced: decodes it at 1 / 2 or 1 / 4 of its size; None where the library cannot.
    """

    starts_frame: Callable[[memoryview], bool]
    decode: Callable[[memoryview, Header], Decoded]
    decode_reduced: Callable[[memoryview, Header, int], Decoded] | None = None


def check_size(rows: int, columns: int, header: Header) -> None:
    """Raise SIZE_MISMATCH unless a stream's size is the header's, which has been checked against the limits."""
    if (rows, columns) != (header.rows, header.columns):
        raise VideoError(
            VideoErrorCode.SIZE_MISMATCH,
            f"the compressed frame is {columns} x {rows} pixels, the header says {header.columns} x {header.rows}",
        )


def shifted_down(samples: Samples, header: Header) -> Samples:
    """Return samples that are stored in the upper bits (HighBit) in the lower ones; others as they are."""
    if header.low_bit == 0:
        return samples
    return samples >> samples.dtype.type(header.low_bit)
