"""From stored samples to a grey or BGR frame of 8 bits (DICOM PS3.3 C.7.6.3.1.2)."""

import functools
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut

from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.dicom.native import Samples
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Frame

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422")


def converter_by_precision(header: Header) -> Callable[[Samples, int], Frame]:
    """Choose what turns samples into frames where each stream says how many bits a sample has; as `converter`."""

    @functools.cache
    def convert(precision: int) -> Callable[[Samples], Frame]:
        return converter(replace(header, bits_stored=precision, bits_allocated=8 if precision <= 8 else 16))

    return lambda samples, precision: convert(precision)(_checked(samples, header))


def _checked(samples: Samples, header: Header) -> Samples:
    """Hold what a codec returned against the header: what follows relies on it."""
    shape = (header.rows, header.columns) if header.samples == 1 else (header.rows, header.columns, 3)
    if samples.shape != shape:
        raise VideoError(VideoErrorCode.SIZE_MISMATCH, "the compressed frame has another shape than the header says")
    return samples


def converter(header: Header) -> Callable[[Samples], Frame]:
    """Choose what turns the samples of this file into frames.

    Raises:
        VideoError: UNSUPPORTED_PIXELS.
    """
    photometric = header.photometric
    if header.samples == 1 and photometric == "PALETTE COLOR":
        table = _palette(header)
        return lambda samples: table[samples]
    if header.samples == 1 and photometric in _GREY:
        return lambda samples: _grey(samples, header)
    if header.samples == 3 and photometric in _COLOUR:
        return lambda samples: _bgr(samples, header)
    raise VideoError(
        VideoErrorCode.UNSUPPORTED_PIXELS,
        f"photometric interpretation {photometric[:16]!r} with {header.samples} samples per pixel is not read; "
        "convert the file to RGB or MONOCHROME2",
    )


def _grey(samples: Samples, header: Header) -> Frame:
    grey = _to_8_bits(samples, header)
    return ~grey if header.photometric == "MONOCHROME1" else grey


def _bgr(samples: Samples, header: Header) -> Frame:
    pixels = _to_8_bits(samples, header)
    if header.photometric == "RGB":
        return np.ascontiguousarray(pixels[..., ::-1])
    # OpenCV wants Y, Cr, Cb; its full-range equations are DICOM's and JPEG's to within one level.
    swapped = np.ascontiguousarray(pixels[..., [0, 2, 1]])
    return np.asarray(cv2.cvtColor(swapped, cv2.COLOR_YCrCb2BGR), dtype=np.uint8)


def _to_8_bits(samples: Samples, header: Header) -> Frame:
    """Scale the whole range of BitsStored to 0..255, black to 0: no window is applied, bits above are dropped."""
    stored = header.bits_stored
    if stored == 8 and not header.signed:
        return samples.astype(np.uint8, copy=False)
    values = samples.astype(np.uint16) & ((1 << stored) - 1)
    if header.signed:
        values ^= 1 << (stored - 1)  # two's complement: the most negative value becomes 0
    scaled = values >> (stored - 8) if stored > 8 else values << (8 - stored)
    return scaled.astype(np.uint8)


def _palette(header: Header) -> NDArray[np.uint8]:
    """Look every possible index up once: uint8 [256 or 65536, 3] in BGR order (PS3.3 C.7.9)."""
    indices = np.arange(1 << header.bits_allocated, dtype=f"u{header.bits_allocated // 8}")
    try:
        table = apply_color_lut(indices, header.dataset)[..., :3]
    except Exception:  # noqa: BLE001  # pydicom raises many kinds on a broken palette
        raise VideoError(VideoErrorCode.UNSUPPORTED_PIXELS, "the header's colour palette is broken") from None
    if table.dtype == np.uint16 and table.max() > 255:  # entries of 8 bits are sometimes written as 16
        table = table >> 8
    return np.ascontiguousarray(table[..., ::-1], dtype=np.uint8)
