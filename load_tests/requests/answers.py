"""Whether an answer under load is the one that was given before it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

ABSOLUTE = 0.002
RELATIVE = 1e-4
"""What numbers may differ by: the last digits depend on what shares a batch.

Measured with bf16 on a CPU: 1e-5 by the batch, 0.008 and more (of an embedding) by another video, even of the same cine
in another encoding.
"""


def difference(answer: Mapping[str, NDArray[Any]], reference: Mapping[str, NDArray[Any]]) -> str:
    """Say in what an answer differs from another; empty if in nothing."""
    for name, expected in reference.items():
        found = answer.get(name)
        if found is None:
            return f"{name} is missing"
        if found.shape != expected.shape:
            return f"{name} has the shape {found.shape}, not {expected.shape}"
        if expected.dtype == np.object_:
            if found.tolist() != expected.tolist():
                return f"{name} says something else"
        elif not np.allclose(found, expected, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True):
            worst = float(np.nanmax(np.abs(found - expected)))
            return f"{name} differs by up to {worst:.3g}"
    return ""
