"""The low level that ``panecho_admin`` stands on: one server over gRPC, the names of its models and what it describes.

Most callers need ``PanEcho`` instead.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from panecho_client._connection import DEFAULT_URL, Connection
from panecho_client._contract import (
    BACKBONE,
    EMBEDDING_SIZE,
    ENSEMBLE,
    FRAME_SIZE,
    IMAGE_ENCODER,
    MODELS,
    POSTPROCESSING,
    PREPROCESSING,
    Parameters,
    Tensors,
    is_ok,
)
from panecho_client._description import Description, parse_description
from panecho_client._exceptions import RequestError
from panecho_client._transport.errors import DENIED, translated
from panecho_client._transport.grpc import call_headers, client_options

__all__ = [
    "BACKBONE",
    "DEFAULT_URL",
    "DENIED",
    "EMBEDDING_SIZE",
    "ENSEMBLE",
    "FRAME_SIZE",
    "IMAGE_ENCODER",
    "MODELS",
    "POSTPROCESSING",
    "PREPROCESSING",
    "Description",
    "ModelConfig",
    "Parameters",
    "Tensors",
    "call_headers",
    "input_tensors",
    "is_ok",
    "open_client",
    "parse_description",
    "translated_errors",
]


def open_client(connection: Connection) -> InferenceServerClient:
    """Return a client of one server, encrypted as ``connection`` says.

    Raises:
        RequestError: The address is not a single server's gRPC address.
    """
    if "://" in connection.url:
        raise RequestError(f"{connection.url}: this asks over gRPC; give host:port, such as localhost:8001.")
    return InferenceServerClient(connection.url, **client_options(connection))


@contextmanager
def translated_errors(url: str, model: str, seconds: float) -> Iterator[None]:
    """Raise the client's errors for Triton's inside the ``with`` block.

    Args:
        url: Address of the server, for the text.
        model: The model that is asked, for the text.
        seconds: How long the call may take, for the text.

    Raises:
        PanEchoError: No server answers, it does not answer in time, or it fails.
    """
    try:
        yield
    except InferenceServerException as error:
        raise translated(error, url, model, seconds) from None


def input_tensors(inputs: Mapping[str, NDArray[Any]]) -> list[InferInput]:
    """Return arrays as the input tensors of a request."""
    tensors = []
    for name, array in inputs.items():
        tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return tensors
