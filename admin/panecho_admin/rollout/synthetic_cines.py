"""Two short cines made of numbers, to ask a model with: they hold no patient and are the same everywhere."""

import struct

import numpy as np
from numpy.typing import NDArray

FRAMES = 16
SIZE = 128
FRAME_SIZE = 224
ULTRASOUND_MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
INSTANCE = "2.25.1"


def generated_cines() -> list[bytes]:
    """Return two different DICOM cines of 16 frames of 128 x 128 grey pixels."""
    return [_dicom(_waves(FRAMES, SIZE, periods)) for periods in (2, 5)]


def generated_frames() -> NDArray[np.uint8]:
    """Return two different frames, UINT8 [2, 224, 224, 3]."""
    grey = np.stack([_waves(1, FRAME_SIZE, periods)[0] for periods in (2, 5)])
    return np.repeat(grey[..., None], 3, axis=3)


def _waves(frames: int, size: int, periods: int) -> NDArray[np.uint8]:
    """Return moving waves, UINT8 [frames, size, size]."""
    turn = 2 * np.pi * periods / size
    time, row, column = np.ogrid[:frames, :size, :size]
    waves = np.sin(turn * row + 0.4 * time) * np.cos(turn * column - 0.2 * time)
    return np.asarray(np.round(127.5 * (1 + waves)), np.uint8)


def _dicom(frames: NDArray[np.uint8]) -> bytes:
    """Return the frames, UINT8 [T, H, W], as a DICOM file (PS3.10) of the Ultrasound Multi-frame Image class."""
    meta = b"".join(
        (
            _element(0x0002, 0x0002, "UI", ULTRASOUND_MULTI_FRAME),
            _element(0x0002, 0x0003, "UI", INSTANCE),
            _element(0x0002, 0x0010, "UI", EXPLICIT_VR_LITTLE_ENDIAN),
        )
    )
    count, rows, columns = frames.shape
    elements = (
        _element(0x0008, 0x0016, "UI", ULTRASOUND_MULTI_FRAME),
        _element(0x0008, 0x0018, "UI", INSTANCE),
        _element(0x0008, 0x0060, "CS", "US"),
        _element(0x0028, 0x0002, "US", 1),  # SamplesPerPixel
        _element(0x0028, 0x0004, "CS", "MONOCHROME2"),
        _element(0x0028, 0x0008, "IS", str(count)),
        _element(0x0028, 0x0010, "US", rows),
        _element(0x0028, 0x0011, "US", columns),
        _element(0x0028, 0x0100, "US", 8),  # BitsAllocated
        _element(0x0028, 0x0101, "US", 8),  # BitsStored
        _element(0x0028, 0x0102, "US", 7),  # HighBit
        _element(0x0028, 0x0103, "US", 0),  # PixelRepresentation
        struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, frames.nbytes) + frames.tobytes(),
    )
    length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(meta))
    return bytes(128) + b"DICM" + length + meta + b"".join(elements)


def _element(group: int, number: int, vr: str, value: str | int) -> bytes:
    content = struct.pack("<H", value) if isinstance(value, int) else value.encode()
    padding = b"\0" if vr == "UI" else b" "
    content += padding * (len(content) % 2)
    return struct.pack("<HH2sH", group, number, vr.encode(), len(content)) + content
