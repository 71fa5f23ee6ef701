"""Questions to one server over gRPC, one after another; for commands that ask about it or change it."""

from tritonclient.grpc import InferenceServerClient

from panecho_client._connection import Connection
from panecho_client._exceptions import RequestError
from panecho_client._transport.errors import DENIED, translated
from panecho_client._transport.grpc import call_headers, client_options

__all__ = ["DENIED", "call_headers", "open_client", "translated"]


def open_client(connection: Connection) -> InferenceServerClient:
    """Return a client of a server, with its encryption.

    Raises:
        RequestError: The address is not one of a single server's gRPC.
    """
    if "://" in connection.url:
        raise RequestError(f"{connection.url}: this asks over gRPC; give host:port, such as localhost:8001.")
    return InferenceServerClient(connection.url, **client_options(connection))
