"""Pictures as PNG files."""

import io

import numpy as np
from numpy.typing import NDArray

from panecho_client._identity.optional_packages import needs_reports_extra


def as_png(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture UINT8 [height, width, 3], red first, as the bytes of a PNG file.

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    with needs_reports_extra():
        from PIL import Image  # noqa: PLC0415 - part of an extra
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def read_png(content: bytes) -> NDArray[np.uint8]:
    """Return the picture UINT8 [height, width, 3] of a PNG file, red first.

    Raises:
        RequestError: The extra ``reports`` is not installed.
        OSError: It is not a picture.
    """
    with needs_reports_extra():
        from PIL import Image  # noqa: PLC0415 - part of an extra
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.uint8)
