"""Ports are held from the moment they are chosen."""

import socket
from collections.abc import Iterator

import pytest

from panecho_server import PortError
from panecho_server.front_door.settings import DoorSettings, PortChoice
from panecho_server.ports import bracketed, free_port, listen, require_ports

HOST = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    with listen(HOST, (0,)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_that_was_asked_for_is_refused(taken: int) -> None:
    with pytest.raises(PortError, match=f"port {taken} is taken on {HOST}"):
        listen(HOST, PortChoice(taken, 8000).candidates())


def test_the_default_gives_way_to_the_next_free_one(taken: int) -> None:
    with listen(HOST, PortChoice(None, taken).candidates()) as listener:
        assert listener.getsockname()[1] > taken


def test_zero_is_any_free_port() -> None:
    with listen(HOST, PortChoice(0, 8000).candidates()) as listener, socket.socket() as caller:
        caller.connect(listener.getsockname())
    assert free_port() > 0


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_other_forms_of_this_machine_are_listened_on(host: str) -> None:
    with listen(host, (0,)) as listener, socket.socket(listener.family) as caller:
        caller.connect(listener.getsockname())


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_named(host: str) -> None:
    with pytest.raises(PortError, match=f"cannot listen on {host}: .*give --host an address of this machine"):
        listen(host, (0,))


@pytest.mark.parametrize("port", [-1, 65536, 10**6])
def test_a_number_that_is_no_port_is_named(port: int) -> None:
    with pytest.raises(PortError, match=f"port {port} is not a port"):
        listen(HOST, (port,))


def test_one_port_for_two_protocols_is_named() -> None:
    with pytest.raises(PortError, match="port 9000 is given for both gRPC and HTTP"):
        require_ports({"gRPC": 9000, "HTTP": 9000, "metrics": 0})
    require_ports({"gRPC": 0, "HTTP": 0, "metrics": None})


@pytest.mark.parametrize("port", [-1, 80000])
def test_a_number_that_is_no_port_is_named_before_the_start(port: int) -> None:
    with pytest.raises(PortError, match=f"port {port} for gRPC is not a port; give 1 to 65535"):
        require_ports({"gRPC": port, "HTTP": None})


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert [bracketed(host) for host in ("::1", "127.0.0.1", "localhost")] == ["[::1]", "127.0.0.1", "localhost"]


@pytest.mark.parametrize("metrics", [PortChoice(0, 8002), None])
def test_settings_survive_the_command_line(metrics: PortChoice | None) -> None:
    settings = DoorSettings(
        host="::1",
        http_host=HOST,
        grpc=PortChoice(None, 8001),
        http=PortChoice(8000, 8000),
        metrics=metrics,
        grpc_socket="/g",
        http_socket="/h",
        metrics_socket="/m",
        tls_certificate="c",
    )
    assert DoorSettings.from_json(settings.to_json()) == settings
