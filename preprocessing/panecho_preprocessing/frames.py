"""A cine: numbered frames, their times and where the image is in them, whatever kind of file they come from."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

# uint8 [height, width] grey, or [height, width, 3] in OpenCV's order: blue, green, red.
Frame: TypeAlias = NDArray[np.uint8]
T = TypeVar("T")


class Box(NamedTuple):
    """Rows `top` to `bottom` and columns `left` to `right` of an image, the last of each not included."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """Rows inside."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns inside."""
        return self.right - self.left


class FrameReader(Protocol):
    """One file's frames, decoded when asked for."""

    @property
    def count(self) -> int:
        """Number of frames."""

    def map(self, function: Callable[[Frame], T], indices: Sequence[int], executor: Executor | None) -> Iterator[T]:
        """Decode the frames asked for, and no others if the file allows it; yield what `function` makes of each.

        Args:
            function: called once for each frame, in any thread.
            indices: ascending, each once, all below `count`.
            executor: runs several frames at a time; None decodes one after the other in this thread.

        Raises:
            WrongFrameCountError: there are fewer frames than `count` said.
            VideoError: a frame cannot be decoded.
        """

    def reduced(self, factor: int) -> "FrameReader | None":
        """Return a faster reader of the same frames at `1 / factor` of their size, 2 or 4; None if there is none."""

    def close(self) -> None:
        """Release what the file holds open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cine:
    """An opened file.

    Attributes:
        reader: its frames.
        seconds: float64 [count], time of each frame in seconds, from 0; None where the file holds no times.
        tissue: the part of the frame that the header calls 2D tissue or colour flow; None where it names none.
        instance: the file's SOPInstanceUID; empty where it has none. Not for logs and texts.
        rate: frames per second that the header states; None where it states none.
        is_rgb: whether the file stores red, green and blue; else the first sample of a pixel is its luma.
        is_prepared: whether frames are shown as they are unless asked: AVI and MP4, which arrive cropped and masked.
    """

    reader: FrameReader
    seconds: NDArray[np.float64] | None = None
    tissue: Box | None = None
    instance: str = ""
    rate: float | None = None
    is_rgb: bool = False
    is_prepared: bool = False


class WrongFrameCountError(Exception):
    """A stream ended early: it holds `count` frames. Never leaves the package; clips are planned again."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(count)
