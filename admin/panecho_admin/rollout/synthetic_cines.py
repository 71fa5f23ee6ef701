"""Two short generated cines to ask a model with: they hold no patient and are the same everywhere."""

import io

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

FRAMES = 16
SIZE = 128
FRAME_SIZE = 224
PERIODS = (2, 5)
"""Waves across a frame; one number for each cine or frame."""


def generated_cines() -> list[bytes]:
    """Return two different DICOM cines of 16 frames of 128 x 128 grey pixels."""
    return [_dicom(_waves(FRAMES, SIZE, periods), UID(f"2.25.{periods}")) for periods in PERIODS]


def generated_frames() -> NDArray[np.uint8]:
    """Return two different frames, UINT8 [2, 224, 224, 3]."""
    grey = np.stack([_waves(1, FRAME_SIZE, periods)[0] for periods in PERIODS])
    return np.repeat(grey[..., None], 3, axis=3)


def _waves(frames: int, size: int, periods: int) -> NDArray[np.uint8]:
    """Return moving waves, UINT8 [frames, size, size]."""
    turn = 2 * np.pi * periods / size
    time, row, column = np.ogrid[:frames, :size, :size]
    waves = np.sin(turn * row + 0.4 * time) * np.cos(turn * column - 0.2 * time)
    return np.asarray(np.round(127.5 * (1 + waves)), np.uint8)


def _dicom(frames: NDArray[np.uint8], instance: UID) -> bytes:
    """Return the frames, UINT8 [T, H, W], as a file of the Ultrasound Multi-frame Image class."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID = UltrasoundMultiFrameImageStorage
    file.Modality = "US"
    file.NumberOfFrames = len(frames)
    file.set_pixel_data(frames, "MONOCHROME2", bits_stored=8)
    file.SOPInstanceUID = instance  # set_pixel_data makes a random one
    content = io.BytesIO()
    file.save_as(content, enforce_file_format=True)
    return content.getvalue()
