"""What every kind of file is turned into before clips are made: a cine of numbered frames."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.dicom.regions import Region

# uint8 [height, width] grey, or [height, width, 3] in OpenCV's order: blue, green, red.
Frame: TypeAlias = NDArray[np.uint8]
T = TypeVar("T")


class FrameReader(Protocol):
    """One file's frames, decoded when asked for."""

    @property
    def count(self) -> int:
        """How many frames there are."""

    def map(self, function: Callable[[Frame], T], indices: Sequence[int], executor: Executor | None) -> Iterator[T]:
        """Decode the frames asked for, and no others if the file allows it; give what `function` makes of each.

        Args:
            function: called once for each frame, in any thread.
            indices: ascending, each once, all below `count`.
            executor: where the work may be done, several frames at a time; None does it here, one by one.

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
        seconds: float64 [count], when each frame was taken, from 0; None where the file does not tell.
        regions: what the header says of the image's parts.
        is_cropped: whether the image is taken as it is: AVI and MP4, as those who prepare them crop and mask them.
    """

    reader: FrameReader
    seconds: NDArray[np.float64] | None = None
    regions: tuple[Region, ...] = ()
    is_cropped: bool = False


class WrongFrameCountError(Exception):
    """A stream ended early: it holds `count` frames. Never leaves the package; clips are planned again with it."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(count)
