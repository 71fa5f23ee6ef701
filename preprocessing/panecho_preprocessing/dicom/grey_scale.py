"""From samples of more than 8 bits to 8 (DICOM PS3.3 C.11.1 and C.11.2): what is seen is the image, not black.

Grey goes through the header's rescale and window, as a viewer shows it. Without a usable window the whole range of the
bits is scaled; where the values use less than a quarter of it, the smallest number of bits, 8 or more, that holds them.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from panecho_preprocessing.dicom.codecs.codec import Samples
from panecho_preprocessing.dicom.elements import text
from panecho_preprocessing.dicom.frame_times import numbers

Table = NDArray[np.uint8]

# A window that shows the values within fewer levels than this, of 256, is not the image's.
_LEAST_CONTRAST: Final = 32


def grey_table(dataset: Dataset, precision: int, *, signed: bool, is_grey: bool, values: NDArray[np.int64]) -> Table:
    """Return the level, 0 to 255, of each stored value: uint8 [2 ** precision].

    Args:
        dataset: the header.
        precision: bits of a sample in use.
        signed: whether they are a two's complement.
        is_grey: whether rescale and window apply; they do not to colour.
        values: lowest and highest sample of the cine, as numbers; empty where they are not known.
    """
    numbers_of = _as_numbers(np.arange(1 << precision), precision, signed=signed)
    shown = _windowed(dataset, numbers_of) if is_grey else None
    if shown is not None and _shows(shown, numbers_of, values):
        return shown
    lowest, bits = _range(precision, signed=signed, values=values)
    levels = (numbers_of - lowest).clip(0, (1 << bits) - 1)
    return (levels >> (bits - 8)).astype(np.uint8)


def extremes(frames: Iterable[Samples], precision: int, *, signed: bool) -> NDArray[np.int64]:
    """Return the lowest and the highest sample of frames; empty without frames."""
    found = [
        edge
        for samples in frames
        for numbers_in in [_as_numbers(samples.astype(np.int64), precision, signed=signed)]
        for edge in (numbers_in.min(), numbers_in.max())
    ]
    return np.array([min(found), max(found)] if found else [], dtype=np.int64)


def _as_numbers(stored: NDArray[np.int64], precision: int, *, signed: bool) -> NDArray[np.int64]:
    """Drop the bits above `precision`, and undo the two's complement."""
    values = stored & ((1 << precision) - 1)
    return values - ((values >> (precision - 1)) << precision) if signed else values


def _range(precision: int, *, signed: bool, values: NDArray[np.int64]) -> tuple[int, int]:
    """Return the number that is black, and the bits from it to white."""
    whole = -(1 << (precision - 1)) if signed else 0
    if len(values) == 0 or int(values[1]) - min(int(values[0]), max(whole, 0)) >= 1 << (precision - 2):
        return whole, precision
    if values[0] >= 0:
        return 0, min(precision, max(8, int(values[1]).bit_length()))
    bits = max(8, 1 + max(int(values[1]).bit_length(), int(-values[0] - 1).bit_length()))
    return -(1 << (bits - 1)), bits


def _shows(table: Table, numbers_of: NDArray[np.int64], values: NDArray[np.int64]) -> bool:
    """Whether a window keeps the values of the cine apart."""
    if len(values) == 0 or values[0] == values[1]:
        return True
    inside = table[(numbers_of >= values[0]) & (numbers_of <= values[1])]
    return int(inside.max()) - int(inside.min()) >= _LEAST_CONTRAST


def _windowed(dataset: Dataset, values: NDArray[np.int64]) -> Table | None:
    """Apply the header's modality and VOI transformations; None where it has none, or they are broken."""
    try:
        rescaled = np.asarray(apply_modality_lut(values, dataset), dtype=np.float64)
        if dataset.get("VOILUTSequence"):
            looked_up = np.asarray(apply_voi(rescaled.astype(np.int64), dataset), dtype=np.float64)
            bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
            return _levels(looked_up / ((1 << bits) - 1))
    except Exception:  # noqa: BLE001  # pydicom raises many kinds on broken tables
        return None
    centres, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    if not len(centres) or not len(widths) or widths[0] <= 0 or not np.isfinite(rescaled).all():
        return None
    return _levels(_WINDOWS.get(text(dataset, "VOILUTFunction"), _linear)(rescaled, centres[0], widths[0]))


def _linear(values: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    return _linear_exact(values, centre - 0.5, max(width - 1, 1e-6))


def _linear_exact(values: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    return (values - centre) / width + 0.5


def _sigmoid(values: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp((-4 * (values - centre) / width).clip(-500, 500))))


_WINDOWS: Final[dict[str, Callable[[NDArray[np.float64], float, float], NDArray[np.float64]]]] = {
    "LINEAR_EXACT": _linear_exact,
    "SIGMOID": _sigmoid,
}


def _levels(shares: NDArray[np.float64]) -> Table:
    # Rounded down, a window of 8 bits leaves values as they are.
    return np.asarray(np.floor(shares.clip(0, 1) * 255 + 1e-6), dtype=np.uint8)
