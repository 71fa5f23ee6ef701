"""Runs a call in a separate process, so that its memory can be told from that of the others."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self


class SeparateProcess:
    """A process that holds one call, made there once, and runs it when asked.

    Args:
        make: Returns the call; a function of a module, as it is imported again there.
        arguments: What ``make`` takes.
    """

    def __init__(self, make: Callable[..., Callable[[], object]], *arguments: object) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._connection, other = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(other, make, arguments), daemon=True)
        self._process.start()
        other.close()
        self._connection.recv()

    @property
    def pid(self) -> int:
        """The process."""
        return int(self._process.pid or 0)

    def __call__(self) -> object:
        """Run the call and return what it returns."""
        self._connection.send(True)
        return self._connection.recv()

    def __enter__(self) -> Self:
        """Return the object."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def _serve(
    connection: Connection,
    make: Callable[..., Callable[[], object]],
    arguments: tuple[object, ...],
) -> None:
    call = make(*arguments)
    connection.send(None)
    while connection.recv():
        connection.send(call())
