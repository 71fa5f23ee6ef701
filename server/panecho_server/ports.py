"""Ports to listen on."""

import errno
import socket
from collections.abc import Iterable, Mapping
from contextlib import closing

from panecho_server.errors import PortError

MAX_PORT = 65535


def bracketed(host: str) -> str:
    """Return an address as it stands before ``:PORT``: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def listen(host: str, ports: Iterable[int]) -> socket.socket:
    """Return a socket that listens on the first free port.

    Args:
        host: IPv4 or IPv6 address, or name, of this machine.
        ports: Ports to try, in order; 0 is any free one.

    Raises:
        PortError: None is free, or the address is not one of this machine; the text says what to do.
    """
    tried = 0
    for tried in ports:
        if not 0 <= tried <= MAX_PORT:
            raise PortError(f"port {tried} is not a port; give 1 to {MAX_PORT}, or 0 for any free one.")
        try:
            return _listen(host, tried)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise PortError(
                    f"cannot listen on {host}: {error.strerror or error}; give --host an address of this machine."
                ) from None
            reason = "is taken on" if error.errno == errno.EADDRINUSE else "is reserved for root on"
    raise PortError(f"port {tried} {reason} {host}; stop what listens there, or give another port (0: any).")


def _listen(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except BaseException:
        listener.close()
        raise
    return listener


def require_ports(asked: Mapping[str, int | None]) -> None:
    """Refuse what is no port, and one port for two protocols.

    Raises:
        PortError: The text names the port and both protocols.
    """
    names: dict[int, str] = {}
    for name, port in asked.items():
        if port is not None and not 0 <= port <= MAX_PORT:
            raise PortError(f"port {port} for {name} is not a port; give 1 to {MAX_PORT}, or 0 for any free one.")
        if port and port in names:
            raise PortError(f"port {port} is given for both {names[port]} and {name}; give each another port, or 0.")
        names[port or 0] = name


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that is free now; another program may take it at any time."""
    with closing(listen(host, (0,))) as listener:
        return int(listener.getsockname()[1])
