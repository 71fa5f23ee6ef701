"""Frames as picture files."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from panecho_client._identity.optional_packages import needs_reports_extra


def as_pngs(frames: Mapping[Path, NDArray[np.uint8]]) -> dict[Path, bytes]:
    """Return each file's frame, as ``key_frames`` of a client gives them, as ``as_png`` does."""
    return {path: as_png(frame) for path, frame in frames.items()}


def as_png(frame: NDArray[np.uint8]) -> bytes:
    """Return a frame UINT8 [height, width, 3], red first, as a PNG file's bytes.

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    with needs_reports_extra():
        from PIL import Image  # noqa: PLC0415 - part of an extra
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "PNG")
    return file.getvalue()
