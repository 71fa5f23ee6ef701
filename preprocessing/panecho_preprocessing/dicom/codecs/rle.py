"""RLE Lossless frames (transfer syntax 1.2.840.10008.1.2.5, DICOM PS3.5 annex G)."""

import itertools
import struct

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.dicom.codecs.codec import Codec, Decoded, shifted_down
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode


def starts_frame(fragment: memoryview) -> bool:
    """Whether a fragment starts with an RLE header: up to 15 segments, the first after the 64-byte header."""
    if len(fragment) < 64:
        return False
    segments, first = struct.unpack_from("<II", fragment)
    return bool(1 <= segments <= 15 and first == 64)


def decode(data: memoryview, header: Header) -> Decoded:
    """Decode one frame, whose samples are stored plane by plane and byte by byte; errors as `jpeg.decode`."""
    bytes_per_sample = header.bits_allocated // 8
    segments = _segments(data)
    if len(segments) != header.samples * bytes_per_sample:
        raise VideoError(VideoErrorCode.CORRUPT_FRAME, f"the RLE frame has {len(segments)} segments")
    # The most significant byte of each sample comes first.
    samples = np.empty((header.samples, bytes_per_sample, header.rows * header.columns), np.uint8)
    for segment, target in zip(segments, samples.reshape(len(segments), -1), strict=True):
        unpacked = _unpack(segment, target.size)
        if len(unpacked) < target.size:
            raise VideoError(
                VideoErrorCode.CORRUPT_FRAME,
                f"the RLE frame is cut off: a segment holds {len(unpacked)} of {target.size} samples",
            )
        target[:] = unpacked[: target.size]  # the padding of a segment may follow
    planes = np.moveaxis(samples, 1, -1).copy().view(f">u{bytes_per_sample}")
    planes = planes.reshape(header.samples, header.rows, header.columns)
    samples = planes[0] if header.samples == 1 else planes.transpose(1, 2, 0)
    return Decoded(shifted_down(samples, header), header.bits_stored)


def _unpack(segment: memoryview, size: int) -> NDArray[np.uint8]:
    """Return at least `size` samples of a segment, if it holds them; any bytes may follow them."""
    packed = bytes(segment)
    try:
        return np.frombuffer(imagecodecs.packbits_decode(packed), np.uint8)
    except imagecodecs.PackbitsError:  # what follows the samples is not packed
        return np.frombuffer(imagecodecs.packbits_decode(packed[: _packed_length(packed, size)]), np.uint8)


def _packed_length(packed: bytes, size: int) -> int:
    """Return the number of bytes that unpack to `size` samples, or to all of the complete runs (PS3.5 G.3.2)."""
    position = end = unpacked = 0
    while unpacked < size and position < len(packed):
        control = packed[position]
        position += control + 2 if control < 128 else 1 + (control > 128)
        if position > len(packed):
            break
        unpacked += control + 1 if control < 128 else (257 - control if control > 128 else 0)
        end = position
    return end


def _segments(frame: memoryview) -> list[memoryview]:
    """Divide a frame at the offsets in its 64-byte header (PS3.5 G.5)."""
    count, *offsets = struct.unpack_from("<16I", frame)
    bounds = [*offsets[:count], len(frame)]
    return [frame[start:end] for start, end in itertools.pairwise(bounds)]


CODEC = Codec(starts_frame, decode)
