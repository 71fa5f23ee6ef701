"""What the front door is given on its command line, and the ports that it reports."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import NamedTuple, Self

from panecho_server.ports import MAX_PORT


class PortChoice(NamedTuple):
    """Which port to listen on.

    Attributes:
        asked: This one; 0 is any free one; None is the first free one from ``default`` on.
        default: Where to start when none is asked for.
    """

    asked: int | None
    default: int

    def candidates(self) -> Iterable[int]:
        """Return the ports to try, in order."""
        return range(self.default, MAX_PORT + 1) if self.asked is None else (self.asked,)


@dataclass(frozen=True, kw_only=True)
class DoorSettings:
    """Where to listen, and where ``tritonserver`` listens.

    Attributes:
        host: Address for gRPC and metrics.
        http_host: Address for HTTP.
        grpc: Port for gRPC.
        http: Port for HTTP.
        metrics: Port for metrics; None where the server has none.
        grpc_socket: Unix socket of ``tritonserver`` for gRPC; likewise the others.
        http_socket: As above.
        metrics_socket: As above.
        tls_certificate: PEM file of the certificate for gRPC; empty without TLS.
        tls_key: PEM file of its private key.
        tls_client_ca: PEM file of the authority that clients' certificates must come from; empty lets everyone in.
    """

    host: str
    http_host: str
    grpc: PortChoice
    http: PortChoice
    metrics: PortChoice | None
    grpc_socket: str
    http_socket: str
    metrics_socket: str
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""

    def to_json(self) -> str:
        """Return the settings as one command-line argument."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the settings that ``to_json`` wrote."""
        values = json.loads(text)
        ports = {name: PortChoice(*values.pop(name)) for name in ("grpc", "http", "metrics") if values[name]}
        return cls(**{"metrics": None} | values | ports)


class Ports(NamedTuple):
    """The ports that the front door listens on; ``metrics`` is 0 without metrics."""

    grpc: int
    http: int
    metrics: int
