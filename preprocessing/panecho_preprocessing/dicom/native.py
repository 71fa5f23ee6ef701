"""Uncompressed pixel data (DICOM PS3.5 A.1, A.2, A.3 and A.5): frames are slices of the file."""

import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.dicom.codecs.codec import Decoded, Samples
from panecho_preprocessing.dicom.header import Header
from panecho_preprocessing.errors import VideoError, VideoErrorCode


class NativeFrames:
    """Divides the pixel data into frames.

    Raises:
        VideoError: TRUNCATED, UNSUPPORTED_PIXELS or UNREADABLE_DICOM.
    """

    def __init__(self, header: Header) -> None:
        if header.undefined_length:
            raise VideoError(VideoErrorCode.UNREADABLE_DICOM, "uncompressed pixel data is written as if compressed")
        self._header = header
        self._subsampled = _is_subsampled(header)
        self._pixels = _bytes_in_order(header)
        self._size = _frame_bytes(header, subsampled=self._subsampled)
        self.count = len(self._pixels) // self._size
        if self.count == 0:
            raise VideoError(
                VideoErrorCode.TRUNCATED,
                f"the file holds {len(self._pixels)} bytes of pixels, one frame takes {self._size}",
            )

    def decode(self, index: int) -> Decoded:
        """Return one frame's samples as they are stored, without copying them where that is possible."""
        return Decoded(self._samples(index), self._header.bits_stored)

    def _samples(self, index: int) -> Samples:
        header = self._header
        data = self._pixels[index * self._size : (index + 1) * self._size]
        if self._subsampled:
            return _upsample(np.frombuffer(data, np.uint8).reshape(header.rows, header.columns // 2, 4))
        order = "<" if header.little_endian else ">"
        samples = np.frombuffer(data, f"{order}u{header.bits_allocated // 8}")
        if header.samples == 1:
            return samples.reshape(header.rows, header.columns)
        if header.planar:
            return samples.reshape(3, header.rows, header.columns).transpose(1, 2, 0)
        return samples.reshape(header.rows, header.columns, 3)


def _frame_bytes(header: Header, *, subsampled: bool) -> int:
    samples = 2 if subsampled else header.samples
    return header.rows * header.columns * samples * (header.bits_allocated // 8)


def _is_subsampled(header: Header) -> bool:
    """Whether two pixels share their Cb and Cr (PS3.3 C.7.6.3.1.2, YBR_FULL_422).

    Some files have the label and store every sample: the size that NumberOfFrames implies shows it.
    """
    if header.photometric != "YBR_FULL_422":
        return False
    if header.columns % 2 or header.bits_allocated != 8:
        raise VideoError(VideoErrorCode.UNSUPPORTED_PIXELS, "YBR_FULL_422 needs an even width and 8 bits")
    full = (header.declared_frames or 1) * _frame_bytes(header, subsampled=False)
    return len(header.pixels) not in (full, full + 1)  # an odd length is padded to even


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
