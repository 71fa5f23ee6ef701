"""Frames that a DICOM file stores one by one, so that each can be decoded separately."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Frame, T


@dataclass(frozen=True, slots=True)
class StoredFrames:
    """A cine's frames by number.

    Attributes:
        count: number of frames.
        decode: decodes one.
        reduced_decode: for a factor of 2 or 4, what decodes one at `1 / factor` of its size; None where nothing does.
    """

    count: int
    decode: Callable[[int], Frame]
    reduced_decode: Callable[[int], Callable[[int], Frame]] | None = None

    def map(self, function: Callable[[Frame], T], indices: Sequence[int], executor: Executor | None) -> Iterator[T]:
        """Decode the frames asked for and no others; see `FrameReader.map`.

        Raises:
            VideoError: what the codec raised, with the frame's number; CORRUPT_FRAME for anything unforeseen.
        """
        run = map if executor is None else executor.map
        return run(lambda index: function(self._decode(index)), indices)

    def _decode(self, index: int) -> Frame:
        try:
            return self.decode(index)
        except VideoError as error:
            raise VideoError(error.code, f"frame {index}: {error.reason}") from None
        except Exception as error:  # noqa: BLE001  # libraries raise many kinds on broken data
            kind = type(error).__name__
            raise VideoError(VideoErrorCode.CORRUPT_FRAME, f"frame {index} cannot be decoded ({kind})") from None

    def reduced(self, factor: int) -> "StoredFrames | None":
        """Return a reader at `1 / factor` of the size where the codec can decode so."""
        return StoredFrames(self.count, self.reduced_decode(factor)) if self.reduced_decode else None

    def close(self) -> None:
        """Nothing is held open."""
