"""Ports to listen on."""

import socket
from collections.abc import Collection

from panecho_server.errors import PortError


def is_free(host: str, port: int) -> bool:
    """Tell whether ``port`` can be listened on at ``host``."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except OSError:
            return False
    return True


def _any_free_port(host: str) -> int:
    with socket.socket() as candidate:
        candidate.bind((host, 0))
        return int(candidate.getsockname()[1])


def choose_port(host: str, asked: int | None, default: int, taken: Collection[int] = ()) -> int:
    """Return the port to use.

    Args:
        host: Address that will listen.
        asked: A port to use as it is, 0 for any free one, or None for ``default`` or the next free one after it.
        default: Port to start from when none is asked for.
        taken: Ports already chosen for something else.

    Raises:
        PortError: The port that was asked for is taken.
    """
    if asked:
        if asked in taken or not is_free(host, asked):
            raise PortError(f"port {asked} is taken on {host}; stop what listens there, or give another port (0: any).")
        return asked
    if asked == 0:
        return _any_free_port(host)
    return next(port for port in range(default, 65536) if port not in taken and is_free(host, port))
