"""From decoded samples to a grey or BGR frame of 8 bits (DICOM PS3.3 C.7.6.3.1.2)."""

import functools
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut

from panecho_preprocessing.dicom.codecs.codec import Decoded, Samples
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Frame

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422")


def converter(header: Header) -> Callable[[Decoded], Frame]:
    """Return what turns a frame's samples, however they were decoded, into uint8 [h, w] or [h, w, 3] in BGR order.

    What it returns raises VideoError: UNSUPPORTED_PIXELS.
    """

    @functools.cache
    def convert(precision: int, colours: str) -> Callable[[Samples], Frame]:
        return _converter(header, precision, colours)

    return lambda decoded: convert(decoded.precision, decoded.colours or header.photometric)(decoded.samples)


def check_photometric(header: Header) -> None:
    """Raise UNSUPPORTED_PIXELS for samples that nothing here converts, before any is decoded."""
    _converter(header, header.bits_stored, header.photometric)


def _converter(header: Header, precision: int, colours: str) -> Callable[[Samples], Frame]:
    if colours == "BGR":
        return _as_it_is
    if header.samples == 1 and colours == "PALETTE COLOR":
        table = _palette(header, 8 if precision <= 8 else 16)
        return lambda samples: table[samples]
    to_8_bits = functools.partial(_to_8_bits, precision=precision, signed=header.signed)
    if header.samples == 1 and colours in _GREY:
        return (lambda samples: ~to_8_bits(samples)) if colours == "MONOCHROME1" else to_8_bits
    if header.samples == 3 and colours in _COLOUR:
        to_bgr = _rgb_to_bgr if colours == "RGB" else _ybr_to_bgr
        return lambda samples: to_bgr(to_8_bits(samples))
    raise VideoError(
        VideoErrorCode.UNSUPPORTED_PIXELS,
        f"photometric interpretation {colours[:16]!r} with {header.samples} samples per pixel is not read; "
        "convert the file to RGB or MONOCHROME2",
    )


def _as_it_is(samples: Samples) -> Frame:
    return samples.astype(np.uint8, copy=False)


def _rgb_to_bgr(pixels: Frame) -> Frame:
    return np.ascontiguousarray(pixels[..., ::-1])


def _ybr_to_bgr(pixels: Frame) -> Frame:
    # OpenCV wants Y, Cr, Cb; its full-range equations are DICOM's and JPEG's to within one level.
    swapped = np.ascontiguousarray(pixels[..., [0, 2, 1]])
    return np.asarray(cv2.cvtColor(swapped, cv2.COLOR_YCrCb2BGR), dtype=np.uint8)


def _to_8_bits(samples: Samples, *, precision: int, signed: bool) -> Frame:
    """Scale the whole range of `precision` bits to 0..255, black to 0: no window is applied, bits above are dropped."""
    if precision == 8 and not signed:
        return samples.astype(np.uint8, copy=False)
    values = samples.astype(np.uint16) & ((1 << precision) - 1)
    if signed:
        values ^= 1 << (precision - 1)  # two's complement: the most negative value becomes 0
    scaled = values >> (precision - 8) if precision > 8 else values << (8 - precision)
    return scaled.astype(np.uint8)


def _palette(header: Header, bits: int) -> NDArray[np.uint8]:
    """Look up every possible index once: uint8 [2 ** bits, 3] in BGR order (PS3.3 C.7.9)."""
    indices = np.arange(1 << bits, dtype=f"u{bits // 8}")
    try:
        table = apply_color_lut(indices, header.dataset)[..., :3]
    except Exception:  # noqa: BLE001  # pydicom raises many kinds on a broken palette
        raise VideoError(VideoErrorCode.UNSUPPORTED_PIXELS, "the header's colour palette is broken") from None
    if table.dtype == np.uint16 and table.max() > 255:  # entries of 8 bits are sometimes written as 16
        table = table >> 8
    return np.ascontiguousarray(table[..., ::-1], dtype=np.uint8)
