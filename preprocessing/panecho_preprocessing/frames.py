"""What every kind of file is turned into before clips are made: numbered frames."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

# uint8 [height, width] grey, or [height, width, 3] in OpenCV's order: blue, green, red.
Frame: TypeAlias = NDArray[np.uint8]


class FrameSource(Protocol):
    """One file's frames, decoded when asked for."""

    @property
    def count(self) -> int:
        """How many frames there are."""

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Decode the frames asked for, one at a time.

        Args:
            indices: ascending, each once, all below `count`.

        Raises:
            WrongFrameCountError: there are fewer frames than `count` said.
            VideoError: a frame cannot be decoded.
        """

    def close(self) -> None:
        """Release what the file holds open."""


class WrongFrameCountError(Exception):
    """A stream ended early: it holds `count` frames. Never leaves the package; clips are planned again with it."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(count)
