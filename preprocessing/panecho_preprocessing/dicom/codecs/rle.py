"""RLE Lossless frames (transfer syntax 1.2.840.10008.1.2.5, DICOM PS3.5 annex G)."""

import itertools
import struct

import imagecodecs
import numpy as np

from panecho_preprocessing.dicom.codecs.codec import Codec, Decoded
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
        unpacked = np.frombuffer(imagecodecs.packbits_decode(bytes(segment)), np.uint8)
        target[:] = unpacked[: target.size]  # the padding of a segment may follow
    planes = np.moveaxis(samples, 1, -1).copy().view(f">u{bytes_per_sample}")
    planes = planes.reshape(header.samples, header.rows, header.columns)
    return Decoded(planes[0] if header.samples == 1 else planes.transpose(1, 2, 0), header.bits_stored)


def _segments(frame: memoryview) -> list[memoryview]:
    """Divide a frame at the offsets in its 64-byte header (PS3.5 G.5)."""
    count, *offsets = struct.unpack_from("<16I", frame)
    bounds = [*offsets[:count], len(frame)]
    return [frame[start:end] for start, end in itertools.pairwise(bounds)]


CODEC = Codec(starts_frame, decode)
