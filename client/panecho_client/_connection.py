"""How a client reaches its server: small groups of settings with named defaults."""

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from panecho_client._exceptions import RequestError

GRPC_PORT = 8001
DEFAULT_URL = f"localhost:{GRPC_PORT}"
DEFAULT_CONCURRENCY = 4

BARE_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
"""A host without a port."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """When to send the same request again: the server is not there, not ready or takes no more requests.

    Nothing else is sent twice. Waits grow exponentially, with jitter, so that many clients do not come back at once.

    Attributes:
        seconds: How long to wait between tries, all together: long enough for a server to restart. 0 sends once.
        first_wait: Seconds before the second try.
        longest_wait: Seconds between tries at most.
    """

    seconds: float = 120.0
    first_wait: float = 0.2
    longest_wait: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Tls:
    """Encryption, and the client's certificate for servers that ask for one (mTLS).

    Attributes:
        root_certificates: PEM file of the authorities to trust. Default: the system's.
        certificate: PEM file of the client's certificate, for mTLS.
        private_key: PEM file of the certificate's private key.

    Raises:
        RequestError: Half of the pair is missing, a file does not exist, or does not hold what it should.
    """

    root_certificates: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None

    def __post_init__(self) -> None:
        """Refuse half a pair, and files that do not exist."""
        if (self.private_key is None) != (self.certificate is None):
            raise RequestError("certificate and private_key go together (mTLS); give both or neither.")
        for name in ("root_certificates", "certificate", "private_key"):
            path = getattr(self, name)
            if path is not None and not Path(path).is_file():
                raise RequestError(f"{name}: {path} is not a file; give the path of a PEM file.", paths=[Path(path)])
        if self.root_certificates:
            with _pem("root_certificates", self.root_certificates):
                ssl.create_default_context(cafile=self.root_certificates)
        if self.certificate and self.private_key:
            with _pem("certificate and private_key", self.certificate, self.private_key):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.load_cert_chain(self.certificate, self.private_key, password="")


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How to reach a server.

    Attributes:
        url: ``host:port`` of the gRPC endpoint, whose port is 8001 where none is given; ``http://`` or ``https://`` and
            host and port of the HTTP endpoint; or ``dns:///name:port`` for gRPC to every address of a name in turn,
            such as a headless Kubernetes service.
        timeout: Seconds that one prediction may take, upload and waiting in the server's queue included.
        connect_timeout: Seconds within which the server must answer small questions.
        headers: Sent with every request, such as a gateway's token.
        tls: None: not encrypted, unless the url is ``https://``.
        retry: When to send the same request again.
        shared_memory: Whether large tensors go through this machine's memory instead of the socket. gRPC only; the
            server must be on this machine, see the same ``/dev/shm``, and allow it.
    """

    url: str = DEFAULT_URL
    timeout: float = 600.0
    connect_timeout: float = 10.0
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: Tls | None = None
    retry: Retry = field(default_factory=Retry)
    shared_memory: bool = False

    def __post_init__(self) -> None:
        """Refuse what no server can be reached with."""
        scheme, separator, _ = self.url.partition("://")
        if not self.url or " " in self.url or not self.url.isprintable():
            raise RequestError(f"{self.url!a} is not an address; give host:port, such as {DEFAULT_URL}.")
        if separator and scheme not in ("http", "https", "dns"):
            raise RequestError(
                f"{self.url}: an address is host:port for gRPC (8001 by default), http://host:port for HTTP, or "
                "dns:///name:port for several gRPC servers."
            )
        object.__setattr__(self, "url", _with_port(self.url))
        if min(self.timeout, self.connect_timeout) <= 0:
            raise RequestError("timeouts are seconds above 0.")
        if self.shared_memory and scheme in ("http", "https"):
            raise RequestError(f"{self.url}: shared_memory goes with gRPC; give host:port (8001 by default).")
        if self.tls and scheme == "http":
            raise RequestError(f"{self.url}: with tls the scheme is https://.")


@contextmanager
def _pem(name: str, *files: Path) -> Iterator[None]:
    """Name the files of a setting that are no PEM, or do not belong together."""
    try:
        yield
    except OSError as error:  # an SSLError is one
        reason = (error.reason or "not PEM") if isinstance(error, ssl.SSLError) else error.strerror or "not readable"
        shown = " and ".join(map(str, files))
        raise RequestError(
            f"{name}: {shown} cannot be used ({reason}); give PEM files that belong together, without a password.",
            paths=[Path(file) for file in files],
        ) from None


def _with_port(url: str) -> str:
    """Return an address of gRPC with its port; HTTP has the usual ports, 80 and 443, which are those of a proxy."""
    start, host = (url[:7], url[7:]) if url.startswith("dns:///") else ("", url)
    if BARE_HOST.fullmatch(host):
        return f"{start}{host}:{GRPC_PORT}"
    return f"[{host}]:{GRPC_PORT}" if _is_ipv6(host) else url


def _is_ipv6(host: str) -> bool:
    """Tell whether a text is an IPv6 address without brackets."""
    try:
        return ip_address(host).version == 6
    except ValueError:
        return False
