"""The low level that ``panecho_admin`` stands on: one server over gRPC, the names of its models and what it describes.

Most callers need ``PanEcho`` instead.
"""

from tritonclient.grpc import InferenceServerClient

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
    "Parameters",
    "Tensors",
    "call_headers",
    "open_client",
    "parse_description",
    "translated",
]


def open_client(connection: Connection) -> InferenceServerClient:
    """Return a client of one server, encrypted as ``connection`` says.

    Raises:
        RequestError: The address is not a single server's gRPC address.
    """
    if "://" in connection.url:
        raise RequestError(f"{connection.url}: this asks over gRPC; give host:port, such as localhost:8001.")
    return InferenceServerClient(connection.url, **client_options(connection))
