"""Opens a DICOM cine: finds its frames, their times and the image in them; applies colour to what a codec decodes."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from panecho_preprocessing.container import is_video
from panecho_preprocessing.dicom.codecs.codec import Codec, Decoded
from panecho_preprocessing.dicom.encapsulated import EncodedFrame, concatenate, joined, split_frames
from panecho_preprocessing.dicom.frame_times import frame_seconds
from panecho_preprocessing.dicom.header import Header, read_header
from panecho_preprocessing.dicom.image_type import require_transthoracic
from panecho_preprocessing.dicom.native import NativeFrames
from panecho_preprocessing.dicom.photometric import check_photometric, converter
from panecho_preprocessing.dicom.regions import tissue_box
from panecho_preprocessing.dicom.stored_frames import StoredFrames
from panecho_preprocessing.dicom.transfer_syntax import CODECS, NATIVE, VIDEO, unsupported
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Cine, Frame, FrameReader
from panecho_preprocessing.limits import Limits
from panecho_preprocessing.video import VideoFile

# Frames whose values decide how more than 8 bits are scaled.
_PROBE = 8


def open_dicom(data: memoryview, limits: Limits) -> Cine:
    """Read the header and find the frames; none is decoded yet.

    Raises:
        VideoError: the file cannot be used.
        Exception: whatever pydicom raises on a broken file.
    """
    header = read_header(data, limits)
    reader = _reader(header, limits)
    if reader.count > 1:  # a still is called a still, whatever it shows
        _require_transthoracic(header, reader)
    seconds, (rows, columns) = frame_seconds(header.dataset, reader.count), (header.rows, header.columns)
    if isinstance(reader, VideoFile):
        seconds, (rows, columns) = reader.seconds if seconds is None else seconds, reader.size
    return Cine(
        reader=reader,
        seconds=seconds,
        tissue=tissue_box(header.regions, rows, columns),
    )


def _require_transthoracic(header: Header, reader: FrameReader) -> None:
    try:
        require_transthoracic(header.dataset)
    except VideoError:
        reader.close()
        raise


def _reader(header: Header, limits: Limits) -> FrameReader:
    syntax = header.transfer_syntax
    if syntax in NATIVE or (syntax is None and not header.undefined_length):
        return _native(header)
    if syntax in VIDEO:
        return _video(header, limits)
    if syntax not in CODECS:
        raise unsupported(syntax)
    return _encapsulated(header, CODECS[syntax])


def _native(header: Header) -> StoredFrames:
    stored = NativeFrames(header)
    to_frame = converter(header, partial(_probe, stored.decode, stored.count))
    check_photometric(header)
    return StoredFrames(stored.count, lambda index: to_frame(stored.decode(index)))


def _encapsulated(header: Header, codec: Codec) -> StoredFrames:
    encoded = split_frames(header, codec.starts_frame)
    if not encoded:
        raise VideoError(VideoErrorCode.TRUNCATED, "the file holds no complete frame")
    decode, decode_reduced = _frame_decoder(header, encoded, codec.decode), codec.decode_reduced
    if decode_reduced is None:
        return StoredFrames(len(encoded), decode)

    def reduced(factor: int) -> Callable[[int], Frame]:
        return _frame_decoder(header, encoded, lambda data, header: decode_reduced(data, header, factor), factor)

    return StoredFrames(len(encoded), decode, reduced)


def _frame_decoder(
    header: Header, encoded: list[EncodedFrame], decode: Callable[[memoryview, Header], Decoded], factor: int = 1
) -> Callable[[int], Frame]:
    """Return what decodes a frame by number, compares its shape with the header's, and applies colour."""
    to_frame = converter(header, partial(_probe, lambda index: decode(joined(encoded[index]), header), len(encoded)))
    size = -(-header.rows // factor), -(-header.columns // factor)

    def decode_frame(index: int) -> Frame:
        decoded = decode(joined(encoded[index]), header)
        is_colour = header.samples == 3 or decoded.colours is not None
        if decoded.samples.shape != ((*size, 3) if is_colour else size):
            raise VideoError(VideoErrorCode.SIZE_MISMATCH, "the decoded frame has another shape than the header says")
        return to_frame(decoded)

    return decode_frame


def _probe(decode: Callable[[int], Decoded], count: int) -> Iterator[Decoded]:
    """Decode frames spread over the whole cine; those that cannot be decoded are left out."""
    for index in np.unique(np.linspace(0, count - 1, _PROBE).round().astype(int)).tolist():
        with contextlib.suppress(Exception):  # whatever it is, it is raised again when a clip needs the frame
            yield decode(index)


def _video(header: Header, limits: Limits) -> FrameReader:
    """Open the MPEG or MP4 stream that all fragments hold together (PS3.5 8.2.5 to 8.2.9)."""
    stream = concatenate(header)
    if not stream:
        raise VideoError(VideoErrorCode.TRUNCATED, "the file holds no complete fragment of its video")
    if not is_video(stream):
        raise VideoError(VideoErrorCode.UNREADABLE_VIDEO, "the DICOM file's video is neither MPEG nor MP4")
    return VideoFile(stream, limits)
