"""Refuses what no client survives: a fork after it was made, and threads that gevent has replaced."""

import os
import sys

from panecho_client._exceptions import RequestError

_grpc_process: int | None = None


class OwnProcess:
    """Remembers the process in which a client is made."""

    def __init__(self) -> None:
        self._process = os.getpid()

    @property
    def is_this(self) -> bool:
        """Whether this is still that process."""
        return os.getpid() == self._process

    def require(self) -> None:
        """Refuse to use a client in a process that was forked from its own: its threads do not exist there.

        Raises:
            RequestError: This is another process.
        """
        if not self.is_this:
            raise RequestError(
                "this client was made before the process was forked, and does not work in the fork; make a client in "
                "each process, or start processes by spawn: multiprocessing.get_context('spawn')."
            )


def require_grpc_of_this_process() -> None:
    """Note that gRPC is used in this process; it does not work in a fork of a process that has used it.

    Raises:
        RequestError: The process was forked from one that had used gRPC.
    """
    global _grpc_process  # noqa: PLW0603 - gRPC's own state is the process's too
    if _grpc_process is None:
        _grpc_process = os.getpid()
    if _grpc_process != os.getpid():
        raise RequestError(
            "this process was forked from one that had used gRPC, which does not work in the fork; start processes by "
            "spawn: multiprocessing.get_context('spawn'), or ask over HTTP: http://host:port."
        )


def require_real_threads() -> None:
    """Refuse threads and sockets that gevent has replaced: the client's event loop does not run on them.

    Raises:
        RequestError: ``gevent.monkey`` has replaced ``threading`` or ``select``.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and (monkey.is_module_patched("threading") or monkey.is_module_patched("select")):
        raise RequestError(
            "gevent has replaced this process's threads or sockets (monkey.patch_all), and the client needs real ones; "
            "use it in a process that gevent does not patch."
        )
