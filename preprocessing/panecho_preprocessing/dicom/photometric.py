"""From decoded samples to a grey or BGR frame of 8 bits (DICOM PS3.3 C.7.6.3.1.2)."""

import functools
from collections.abc import Callable, Iterable

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut

from panecho_preprocessing.dicom.codecs.codec import Decoded, Samples
from panecho_preprocessing.dicom.grey_scale import extremes, grey_table
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Frame

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422")


def converter(header: Header, probe: Callable[[], Iterable[Decoded]]) -> Callable[[Decoded], Frame]:
    """Return what turns a frame's samples, however they were decoded, into uint8 [h, w] or [h, w, 3] in BGR order.

    Args:
        header: the file's header.
        probe: decodes frames from the whole cine, whose values decide how more than 8 bits are scaled: the scale then
            is the same for all frames, and does not depend on the clips requested.

    What it returns raises VideoError: UNSUPPORTED_PIXELS.
    """

    @functools.cache
    def convert(precision: int, colours: str) -> Callable[[Samples], Frame]:
        return _converter(header, precision, colours, probe)

    return lambda decoded: convert(decoded.precision, decoded.colours or header.photometric)(decoded.samples)


def check_photometric(header: Header) -> None:
    """Raise UNSUPPORTED_PIXELS for samples that nothing here converts, before any is decoded."""
    _converter(header, header.bits_stored, header.photometric, lambda: ())


def _converter(
    header: Header, precision: int, colours: str, probe: Callable[[], Iterable[Decoded]]
) -> Callable[[Samples], Frame]:
    if colours == "BGR":
        return _as_it_is
    if header.samples == 1 and colours == "PALETTE COLOR":
        table = _palette(header, 8 if precision <= 8 else 16)
        return lambda samples: table[samples]
    is_grey = header.samples == 1 and colours in _GREY
    to_8_bits = _to_8_bits(header, precision, probe, is_grey=is_grey)
    if is_grey:
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


def _to_8_bits(
    header: Header, precision: int, probe: Callable[[], Iterable[Decoded]], *, is_grey: bool
) -> Callable[[Samples], Frame]:
    """Return what scales samples to 0..255; 8 bits and fewer by their whole range, without a window."""
    if precision == 8 and not header.signed:
        return _as_it_is
    if precision <= 8:
        return functools.partial(_scaled_up, precision=precision, signed=header.signed)
    frames = (decoded.samples for decoded in probe())
    values = extremes(frames, precision, signed=header.signed)
    table = grey_table(header.dataset, precision, signed=header.signed, is_grey=is_grey, values=values)
    return lambda samples: table[samples & (len(table) - 1)]


def _scaled_up(samples: Samples, *, precision: int, signed: bool) -> Frame:
    values = samples.astype(np.uint8) & ((1 << precision) - 1)
    if signed:
        values ^= 1 << (precision - 1)  # two's complement: the most negative value becomes 0
    return (values << (8 - precision)).astype(np.uint8)


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
