"""Names and limits of the server's contract that the client relies on; docs/reference/contract.md lists them all."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from numpy.typing import NDArray

ENSEMBLE = "panecho"
PREPROCESSING = "preprocessing"
BACKBONE = "backbone"
POSTPROCESSING = "postprocessing"
IMAGE_ENCODER = "image_encoder"

MODELS = (PREPROCESSING, BACKBONE, POSTPROCESSING, ENSEMBLE)
"""The models that make a PanEcho server; ``image_encoder`` is loaded on demand."""

VIDEO_BYTES = "video_bytes"
VIDEO_SIZES = "video_sizes"
VIDEO_STATUS = "video_status"
CLIPS = "clips"
LOGITS = "logits"
CLIP_EMBEDDING = "clip_embedding"
CLIP_VIDEO = "clip_video"
CLIP_LOGITS = "clip_logits"
EMBEDDING = "embedding"
KEY_FRAME = "key_frame"
VIDEO_DIGEST = "video_digest"
FRAMES = "frames"
FRAME_EMBEDDING = "frame_embedding"

NUM_CLIPS = "num_clips"
CLIP_LENGTH = "clip_length"
ON_ERROR = "on_error"
KEY_FRAMES = "key_frames"

OK = "ok"
"""The status of a video that is part of its study; a colon and what to know about it may follow."""

FRAME_SIZE = 224
"""Height and width of a clip's frames in pixels."""

EMBEDDING_SIZE = 768
"""Numbers of an embedding."""

# A gRPC message holds at most 2 GiB - 1; what is not video (names, sizes) stays far below one MiB.
MAX_MESSAGE_BYTES = 2**31 - 1
MAX_STUDY_BYTES = MAX_MESSAGE_BYTES - 2**20

CLIPS_PER_REQUEST = 16
FRAMES_PER_REQUEST = 64

Parameters: TypeAlias = Mapping[str, int | str]
Tensors: TypeAlias = Mapping[str, NDArray[Any]]


def status_code(status: str) -> str:
    """Return the code of a status: what stands before the colon."""
    return status.partition(":")[0]


def is_ok(status: str) -> bool:
    """Tell whether a video of this status is part of its study."""
    return status_code(status) == OK


def video_task(key: str) -> str:
    """Return the name of the output with a task's prediction for each video."""
    return f"video/{key}"
