"""Turns the files of an echocardiography study (DICOM cine, AVI, MP4, MPEG) into the clips that PanEcho takes."""

from panecho_preprocessing.clips import clip_at, video_clips
from panecho_preprocessing.constants import (
    CHANNEL_ORDER,
    CLIP_LENGTH,
    CROP,
    FRAME_STRIDE,
    MAX_CLIP_LENGTH,
    MAX_FRAME_RATE,
    MAX_FRAME_STRIDE,
    MAX_NUM_CLIPS,
    NUM_CLIPS,
    RESIZE,
)
from panecho_preprocessing.errors import (
    InvalidRequestError,
    NoUsableVideoError,
    PreprocessingError,
    RequestCancelledError,
    ShortOfMemoryError,
    VideoError,
    VideoErrorCode,
)
from panecho_preprocessing.host.cores import available_cores, threads_per_instance
from panecho_preprocessing.limits import Limits
from panecho_preprocessing.options import ClipOptions
from panecho_preprocessing.study import StudyClips, preprocess_study

__all__ = [
    "CHANNEL_ORDER",
    "CLIP_LENGTH",
    "CROP",
    "FRAME_STRIDE",
    "MAX_CLIP_LENGTH",
    "MAX_FRAME_RATE",
    "MAX_FRAME_STRIDE",
    "MAX_NUM_CLIPS",
    "NUM_CLIPS",
    "RESIZE",
    "ClipOptions",
    "InvalidRequestError",
    "Limits",
    "NoUsableVideoError",
    "PreprocessingError",
    "RequestCancelledError",
    "ShortOfMemoryError",
    "StudyClips",
    "VideoError",
    "VideoErrorCode",
    "available_cores",
    "clip_at",
    "preprocess_study",
    "threads_per_instance",
    "video_clips",
]
