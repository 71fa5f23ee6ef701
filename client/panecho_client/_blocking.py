"""Questions to one server over gRPC, one after another; for commands that ask about it or change it."""

from tritonclient.grpc import InferenceServerClient

from panecho_client._exceptions import RequestError
from panecho_client._grpc import channel_args
from panecho_client._settings import Connection


def open_client(connection: Connection) -> InferenceServerClient:
    """Return a client of a server, with its encryption.

    Raises:
        RequestError: The address is not one of a single server's gRPC.
    """
    if "://" in connection.url:
        raise RequestError(f"{connection.url}: this asks over gRPC; give host:port, such as localhost:8001.")
    tls = connection.tls
    return InferenceServerClient(
        connection.url,
        ssl=tls is not None,
        root_certificates=tls and tls.root_certificates,
        private_key=tls and tls.private_key,
        certificate_chain=tls and tls.certificate_chain,
        channel_args=channel_args(connection.url),
    )


def call_headers(connection: Connection) -> dict[str, str]:
    """Return the headers of every call, as gRPC demands them."""
    return {name.lower(): value for name, value in connection.headers.items()}
