"""The only room that imports tritonclient: requests go to a server over gRPC or HTTP."""

from panecho_client._connection import Connection
from panecho_client._transport.base import Transport


def open_transport(connection: Connection) -> Transport:
    """Return the transport that the address asks for; nothing is connected yet."""
    if connection.url.startswith(("http://", "https://")):
        from panecho_client._transport.http import HttpTransport  # noqa: PLC0415 - aiohttp takes a while to import

        return HttpTransport(connection)
    from panecho_client._transport.grpc import GrpcTransport  # noqa: PLC0415 - as above, gRPC

    return GrpcTransport(connection)
