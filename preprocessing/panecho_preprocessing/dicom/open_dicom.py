"""DICOM cines: header, frames, timing and regions of one file."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from pydicom.uid import JPEGBaseline8Bit

from panecho_preprocessing.container import is_video
from panecho_preprocessing.dicom import photometric
from panecho_preprocessing.dicom.codecs import jpeg
from panecho_preprocessing.dicom.encapsulated import EncodedFrame, concatenate, split_frames
from panecho_preprocessing.dicom.frame_times import frame_seconds
from panecho_preprocessing.dicom.header import Header, read_header
from panecho_preprocessing.dicom.native import NativeFrames
from panecho_preprocessing.dicom.transfer_syntax import CODECS, NATIVE, VIDEO, unsupported
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Cine, Frame, FrameReader, T
from panecho_preprocessing.limits import Limits
from panecho_preprocessing.video import VideoFile


@dataclass(frozen=True, slots=True)
class StoredFrames:
    """Frames that are stored one by one, each of which can be decoded by itself."""

    count: int
    decode: Callable[[int], Frame]
    decode_reduced: Callable[[int], Callable[[int], Frame]] | None = None

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
        return StoredFrames(self.count, self.decode_reduced(factor)) if self.decode_reduced else None

    def close(self) -> None:
        """Nothing is held open."""


def open_dicom(data: memoryview, limits: Limits) -> Cine:
    """Read the header and find the frames; none is decoded yet.

    Raises:
        VideoError: the file cannot be used.
        Exception: whatever pydicom raises on a broken file.
    """
    header = read_header(data, limits)
    reader = _reader(header, limits)
    return Cine(reader=reader, seconds=frame_seconds(header.dataset, reader.count), regions=header.regions)


def _reader(header: Header, limits: Limits) -> FrameReader:
    syntax = header.transfer_syntax
    if syntax in NATIVE or (syntax is None and not header.undefined_length):
        stored = NativeFrames(header)
        to_frame = photometric.converter(header)
        return StoredFrames(stored.count, lambda index: to_frame(stored.decode(index)))
    if syntax in VIDEO:
        return _video(header, limits)
    if syntax not in CODECS:
        raise unsupported(syntax)
    codec = CODECS[syntax]
    encoded = split_frames(header, codec.starts_frame)
    if not encoded:
        raise VideoError(VideoErrorCode.TRUNCATED, "the file holds no complete frame")
    decode = codec.decoder(header)
    return StoredFrames(
        len(encoded),
        lambda index: decode(encoded[index]),
        _reduced_jpeg(header, encoded) if syntax == JPEGBaseline8Bit else None,
    )


def _reduced_jpeg(header: Header, encoded: list[EncodedFrame]) -> Callable[[int], Callable[[int], Frame]]:
    def at(factor: int) -> Callable[[int], Frame]:
        decode = jpeg.decoder(header, factor)
        return lambda index: decode(encoded[index])

    return at


def _video(header: Header, limits: Limits) -> FrameReader:
    """Open the MPEG or MP4 stream that the fragments hold between them (PS3.5 8.2.5 to 8.2.9)."""
    stream = concatenate(header)
    if not stream:
        raise VideoError(VideoErrorCode.TRUNCATED, "the file holds no complete fragment of its video")
    if not is_video(stream):
        raise VideoError(VideoErrorCode.UNREADABLE_VIDEO, "the DICOM file's video is neither MPEG nor MP4")
    return VideoFile(stream, limits)
