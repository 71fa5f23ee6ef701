"""Choice of ports, with real sockets."""

import socket
from collections.abc import Iterator

import pytest

from panecho_server import PortError
from panecho_server.ports import choose_port, is_free

HOST = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_that_was_asked_for_is_refused(taken: int) -> None:
    with pytest.raises(PortError, match=f"port {taken} is taken"):
        choose_port(HOST, taken, 8000)


def test_the_default_gives_way_to_the_next_free_one(taken: int) -> None:
    chosen = choose_port(HOST, None, taken)
    assert chosen > taken
    assert is_free(HOST, chosen)


def test_a_port_is_not_given_out_twice() -> None:
    first = choose_port(HOST, None, 18000)
    assert choose_port(HOST, None, first, {first}) > first
    with pytest.raises(PortError):
        choose_port(HOST, first, 8000, {first})


def test_zero_is_any_free_port() -> None:
    assert is_free(HOST, choose_port(HOST, 0, 8000))
