"""Opens a DICOM cine: finds its frames, their times and the image in them; applies colour to what a codec decodes."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from panecho_preprocessing.container import is_video
from panecho_preprocessing.dicom.codecs import jpegls
from panecho_preprocessing.dicom.codecs.codec import Codec, Decoded
from panecho_preprocessing.dicom.codecs.jpeg_stream import is_jpegls
from panecho_preprocessing.dicom.elements import text
from panecho_preprocessing.dicom.encapsulated import (
    EncodedFrame,
    check_frame_count,
    concatenate,
    first_fragment,
    joined,
    split_frames,
)
from panecho_preprocessing.dicom.frame_times import frame_seconds, stated_rate
from panecho_preprocessing.dicom.header import Header, read_header
from panecho_preprocessing.dicom.image_type import require_transthoracic
from panecho_preprocessing.dicom.native import NativeFrames
from panecho_preprocessing.dicom.photometric import check_photometric, converter
from panecho_preprocessing.dicom.regions import tissue_box
from panecho_preprocessing.dicom.stored_frames import StoredFrames
from panecho_preprocessing.dicom.transfer_syntax import CODECS, NATIVE, VIDEO, recognised, unsupported
from panecho_preprocessing.errors import VideoError, VideoErrorCode
from panecho_preprocessing.frames import Cine, Frame, FrameReader
from panecho_preprocessing.limits import Limits
from panecho_preprocessing.video import VideoFile

# Decoded samples of these are red, green and blue; of all others luma comes first.
_RGB = ("RGB", "YBR_ICT", "YBR_RCT")

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
        instance=text(header.dataset, "SOPInstanceUID"),
        tissue=tissue_box(header.regions, rows, columns),
        rate=stated_rate(header.dataset),
        is_rgb=header.photometric in _RGB,
    )


def _require_transthoracic(header: Header, reader: FrameReader) -> None:
    try:
        require_transthoracic(header.dataset)
    except VideoError:
        reader.close()
        raise


def _reader(header: Header, limits: Limits) -> FrameReader:
    syntax = header.transfer_syntax
    if syntax in VIDEO:
        return _video(header, limits)
    if syntax not in NATIVE and syntax not in CODECS and (syntax is not None or header.undefined_length):
        raise unsupported(syntax)
    stated = None if syntax is None else CODECS.get(syntax)
    fragment = first_fragment(header)
    if fragment is None:
        return _native(header) if stated is None or not header.undefined_length else _encapsulated(header, stated)
    if stated is None or not _is_of(stated, fragment):
        stated = recognised(fragment) or stated
    return _native(header) if stated is None else _encapsulated(header, stated)


def _is_of(codec: Codec, fragment: memoryview) -> bool:
    """Whether a stream is of the codec that the transfer syntax states; JPEG and JPEG-LS start alike."""
    return codec.starts_frame(fragment) and (codec is jpegls.CODEC) == is_jpegls(fragment)


def _native(header: Header) -> StoredFrames:
    try:
        stored = NativeFrames(header)
    except VideoError as error:
        if recognised(header.pixels[:4096]) is None:
            raise
        raise VideoError(
            VideoErrorCode.UNSUPPORTED_TRANSFER_SYNTAX,
            "the pixel data is a compressed stream without fragments under an uncompressed transfer syntax; "
            "encapsulate it under the transfer syntax of its compression",
        ) from error
    to_frame = converter(header, partial(_probe, stored.decode, stored.count))
    check_photometric(header)
    return StoredFrames(stored.count, lambda index: to_frame(stored.decode(index)))


def _encapsulated(header: Header, codec: Codec) -> StoredFrames:
    encoded = split_frames(header, codec.starts_frame)
    if not encoded:
        raise VideoError(VideoErrorCode.TRUNCATED, "the file holds no complete frame")
    check_frame_count(header, len(encoded))
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
