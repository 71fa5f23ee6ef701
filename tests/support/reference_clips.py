"""The test clips of the golden outputs, by the formula with which they were made."""

import numpy as np
from numpy.typing import NDArray

SIZE = 224


def _plane(rng: np.random.Generator, frames: int) -> NDArray[np.float32]:
    t = np.linspace(0, 1, frames, dtype=np.float32)[:, None, None]
    y, x = np.meshgrid(*[np.linspace(-1, 1, SIZE, dtype=np.float32)] * 2, indexing="ij")
    a = rng.uniform(1, 6, 6).astype(np.float32)
    plane = (
        np.sin(a[0] * x + a[1] * y + 6 * t) + 0.5 * np.cos(a[2] * x * y + a[3] * t) + 0.2 * np.sin(8 * a[4] * x + a[5])
    )
    return np.asarray(plane, dtype=np.float32)


def float_clip(frames: int) -> NDArray[np.float32]:
    """Return the normalised clip of seed 0, FP32 [1, 3, T, 224, 224], as the published model takes it."""
    rng = np.random.Generator(np.random.Philox(10_000))
    return np.stack([_plane(rng, frames) for _ in range(3)])[None]


def uint8_clip(frames: int) -> NDArray[np.uint8]:
    """Return the clip as it crosses the wire, UINT8 [1, T, 224, 224, 3]."""
    scaled = np.clip((float_clip(frames) + 1.7) / 3.4 * 255, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(scaled.transpose(0, 2, 3, 4, 1))
