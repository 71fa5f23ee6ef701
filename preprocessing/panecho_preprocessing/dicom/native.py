"""Uncompressed pixel data (DICOM PS3.5 A.1, A.2, A.3 and A.5): frames are slices of the file.

The standard stores frames without gaps, and one pad byte after an odd number of bytes. Files in use also pad each odd
frame, or store full samples under the label of shared chroma. So the layout is the one that explains the length of the
pixel data by the header's rows, columns, samples and frames; pixels that fit no layout are refused.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.dicom.codecs.codec import Decoded, Samples, shifted_down
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode

# 1, 3 or 4 samples of 8, 16 or 32 bits, or 2 of shared chroma.
_BYTES_PER_PIXEL: Final = {1, 2, 3, 4, 6, 8, 12, 16}


class Layout(NamedTuple):
    """How frames are stored.

    Attributes:
        size: bytes of a frame.
        stride: bytes from one frame to the next.
        subsampled: whether two pixels share their Cb and Cr (PS3.3 C.7.6.3.1.2, YBR_FULL_422).
    """

    size: int
    stride: int
    subsampled: bool


class NativeFrames:
    """Divides the pixel data into frames.

    Attributes:
        count: number of complete frames.

    Raises:
        VideoError: TRUNCATED, SIZE_MISMATCH or UNREADABLE_DICOM.
    """

    def __init__(self, header: Header) -> None:
        if header.undefined_length:
            raise VideoError(VideoErrorCode.UNREADABLE_DICOM, "uncompressed pixel data is written as if compressed")
        self._header = header
        self._layout, count = find_layout(header)
        self._pixels = _bytes_in_order(header)
        cut_off_after = (len(self._pixels) + self._layout.stride - self._layout.size) // self._layout.stride
        self.count = min(count, cut_off_after)
        if self.count == 0:
            raise _truncated(header, self._layout.size)

    def decode(self, index: int) -> Decoded:
        """Return one frame's samples as they are stored, without copying them where that is possible."""
        return Decoded(shifted_down(self._samples(index), self._header), self._header.bits_stored)

    def _samples(self, index: int) -> Samples:
        header, start = self._header, index * self._layout.stride
        data = self._pixels[start : start + self._layout.size]
        if self._layout.subsampled:
            pairs = np.frombuffer(data, np.uint8).reshape(header.rows, -1, 4)
            return _upsample(pairs)[:, : header.columns]
        order = "<" if header.little_endian else ">"
        samples = np.frombuffer(data, f"{order}u{header.bits_allocated // 8}")
        if header.samples == 1:
            return samples.reshape(header.rows, header.columns)
        if header.planar:
            return samples.reshape(3, header.rows, header.columns).transpose(1, 2, 0)
        return samples.reshape(header.rows, header.columns, 3)


def find_layout(header: Header) -> tuple[Layout, int]:
    """Return the layout that explains the length of the pixel data, and the number of frames that it then holds.

    Raises:
        VideoError: TRUNCATED where there is less than a frame, SIZE_MISMATCH where no layout explains the length.
    """
    layouts, length = list(_layouts(header)), header.pixel_bytes
    if length < layouts[0].size:
        raise _truncated(header, layouts[0].size)
    for layout in layouts:
        if _explains(layout, header.declared_frames or 1, length):
            return layout, header.declared_frames or 1
    # NumberOfFrames may be missing or wrong; but frames of another sample size are not another number of frames.
    for layout in () if header.is_private or _is_another_sample_size(header) else layouts:
        count = (length + layout.stride - layout.size) // layout.stride
        if _explains(layout, count, length):
            return layout, count
    raise _no_layout(header, layouts)


def _layouts(header: Header) -> Iterator[Layout]:
    """Yield the possible layouts, the standard's first."""
    full = header.rows * header.columns * header.samples * (header.bits_allocated // 8)
    sizes = [(full, False)]
    if header.photometric == "YBR_FULL_422" and header.samples == 3 and header.bits_allocated == 8:
        sizes.insert(0, (header.rows * -(-header.columns // 2) * 4, True))
    for size, subsampled in sizes:
        yield Layout(size, size, subsampled)
        if size % 2:
            yield Layout(size, size + 1, subsampled)


def _explains(layout: Layout, count: int, length: int) -> bool:
    """Whether `count` frames take `length` bytes; an odd length may be padded, and the last frame may lack its pad."""
    packed = count * layout.stride
    return length in (packed, packed + packed % 2, packed - (layout.stride - layout.size))


def _is_another_sample_size(header: Header) -> bool:
    """Whether the pixels can be the declared frames with another number of bytes per pixel, or volumes of slices."""
    frames = header.declared_frames or 1
    bytes_per_pixel, rest = divmod(header.pixel_bytes, frames * header.rows * header.columns)
    return rest == 0 and bytes_per_pixel > 0 and (frames > 1 or bytes_per_pixel in _BYTES_PER_PIXEL)


def _truncated(header: Header, size: int) -> VideoError:
    return VideoError(
        VideoErrorCode.TRUNCATED, f"the file holds {len(header.pixels)} bytes of pixels, one frame takes {size}"
    )


def _no_layout(header: Header, layouts: list[Layout]) -> VideoError:
    frames = header.declared_frames or 1
    expected = " or ".join(str(frames * layout.stride) for layout in layouts)
    return VideoError(
        VideoErrorCode.SIZE_MISMATCH,
        f"the pixel data is {header.pixel_bytes} bytes long, but {frames} frame(s) of {header.columns} x {header.rows} "
        f"pixels with {header.samples} sample(s) of {header.bits_allocated} bits take {expected}; correct the header",
    )


def _upsample(pairs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert [rows, columns / 2, (Y1, Y2, Cb, Cr)] to [rows, columns, (Y, Cb, Cr)]."""
    rows, half, _ = pairs.shape
    full = np.empty((rows, half * 2, 3), dtype=np.uint8)
    full[..., 0] = pairs[..., :2].reshape(rows, half * 2)
    full[..., 1:] = pairs[..., 2:].repeat(2, axis=1)
    return full


def _bytes_in_order(header: Header) -> memoryview:
    """Undo the byte swap of 8-bit pixels that a big endian file stores as 16-bit words (PS3.5 8.1.2)."""
    if header.little_endian or not header.words or header.bits_allocated != 8:
        return header.pixels
    whole = len(header.pixels) // 2 * 2
    return np.frombuffer(header.pixels[:whole], np.uint16).byteswap().view(np.uint8).data
