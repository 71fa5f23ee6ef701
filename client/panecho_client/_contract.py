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

FRAME_SIZE = 224
"""Height and width of a clip's frames in pixels."""

EMBEDDING_SIZE = 768
"""Numbers of an embedding."""

# A gRPC message holds at most 2 GiB - 1; what is not video (names, sizes) stays far below one MiB.
MAX_MESSAGE_BYTES = 2**31 - 1
MAX_STUDY_BYTES = MAX_MESSAGE_BYTES - 2**20

Parameters: TypeAlias = Mapping[str, int | str]
Tensors: TypeAlias = Mapping[str, NDArray[Any]]
