"""The errors of this package.

PreprocessingError
├── InvalidRequestError         the request as a whole cannot be answered
│   └── NoUsableVideoError      none of its files could be used
├── ShortOfMemoryError          its clips do not fit into memory now
├── RequestCancelledError       the caller has cancelled it
└── VideoError                  one file cannot be used; the others can

Messages name a file by its index and say what to do. They hold no value of a DICOM header other than its transfer
syntax, SOP class, modality, photometric interpretation, frame rate and sizes, so they can be logged.
"""

from collections.abc import Sequence
from enum import StrEnum


class VideoErrorCode(StrEnum):
    """Why a file could not be used; the part of a status before the colon."""

    EMPTY_FILE = "EMPTY_FILE"
    NOT_A_VIDEO = "NOT_A_VIDEO"
    NOT_ULTRASOUND = "NOT_ULTRASOUND"
    NOT_TRANSTHORACIC = "NOT_TRANSTHORACIC"
    NOT_A_CINE = "NOT_A_CINE"
    DUPLICATE = "DUPLICATE"
    SPECTRAL_DOPPLER = "SPECTRAL_DOPPLER"
    M_MODE = "M_MODE"
    VOLUME = "VOLUME"
    STRUCTURED_REPORT = "STRUCTURED_REPORT"
    WAVEFORM = "WAVEFORM"
    DICOMDIR = "DICOMDIR"
    NO_PIXEL_DATA = "NO_PIXEL_DATA"
    NO_FRAME_RATE = "NO_FRAME_RATE"
    LOW_FRAME_RATE = "LOW_FRAME_RATE"
    UNSUPPORTED_TRANSFER_SYNTAX = "UNSUPPORTED_TRANSFER_SYNTAX"
    BLANK = "BLANK"
    NEARLY_BLACK = "NEARLY_BLACK"
    FROZEN = "FROZEN"
    UNSUPPORTED_CODEC = "UNSUPPORTED_CODEC"
    UNSUPPORTED_PIXELS = "UNSUPPORTED_PIXELS"
    TOO_LARGE = "TOO_LARGE"
    TRUNCATED = "TRUNCATED"
    SIZE_MISMATCH = "SIZE_MISMATCH"
    CORRUPT_FRAME = "CORRUPT_FRAME"
    UNREADABLE_DICOM = "UNREADABLE_DICOM"
    UNREADABLE_VIDEO = "UNREADABLE_VIDEO"


class PreprocessingError(Exception):
    """Base of every error of this package."""


class InvalidRequestError(PreprocessingError, ValueError):
    """The request's tensors or parameters are wrong, or ask for too much."""


class RequestCancelledError(PreprocessingError):
    """The caller has cancelled the request, or its deadline has passed."""


class ShortOfMemoryError(PreprocessingError):
    """The request's clips do not fit into memory now; they may later."""


class NoUsableVideoError(InvalidRequestError):
    """No file of the request could be used.

    Attributes:
        video_status: the status of each file, in the order sent.
    """

    def __init__(self, video_status: Sequence[str]) -> None:
        self.video_status = tuple(video_status)
        lines = "; ".join(f"video_sizes[{index}]: {status}" for index, status in enumerate(self.video_status))
        super().__init__(f"no file of this request could be used: {lines}")


class VideoError(PreprocessingError):
    """One file could not be used.

    Attributes:
        code: why, for programs.
        reason: what is wrong and what to do, for people.
    """

    def __init__(self, code: VideoErrorCode, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code}: {reason}")
