"""Errors of a connection, with real sockets."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tritonclient.utils import InferenceServerException

from panecho_client import (
    ClipOptions,
    Connection,
    DeadlineExceededError,
    IncompatibleServerError,
    PanEcho,
    PanEchoError,
    RequestError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
)
from panecho_client._transport.errors import translated


@pytest.fixture
def silent_url() -> Iterator[str]:
    """A server that accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_nothing_listens(unused_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"x")
    started = time.monotonic()
    with PanEcho(unused_url) as panecho, pytest.raises(ServerUnavailableError, match="panecho serve") as caught:
        panecho.predict_study(tmp_path)
    assert time.monotonic() - started < 5
    assert unused_url in str(caught.value)
    assert caught.value.code == "UNAVAILABLE"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_silent_server_is_given_up(silent_url: str) -> None:
    started = time.monotonic()
    with (
        PanEcho(Connection(url=silent_url, connect_timeout=0.5)) as panecho,
        pytest.raises(DeadlineExceededError, match=r"0\.5 s"),
    ):
        _ = panecho.weights
    assert time.monotonic() - started < 5


def test_local_mistakes_are_found_without_a_server(unused_url: str) -> None:
    with PanEcho(unused_url) as panecho:
        with pytest.raises(RequestError, match="does not exist"):
            panecho.predict_study("missing.dcm")
        with pytest.raises(RequestError, match="num_clips is 0"):
            ClipOptions(num_clips=0)


@pytest.mark.parametrize("url", ["grpc://localhost:8001", "ftp://localhost"])
def test_another_scheme_is_refused(url: str) -> None:
    with pytest.raises(RequestError, match="an address is host:port for gRPC"):
        PanEcho(url)


@pytest.mark.parametrize(
    ("given", "url"),
    {
        "localhost": "localhost:8001",
        "triton.example.org": "triton.example.org:8001",
        "localhost:9": "localhost:9",
        "::1": "[::1]:8001",
        "[::1]": "[::1]:8001",
        "[::1]:9": "[::1]:9",
        "dns:///triton": "dns:///triton:8001",
        "dns:///triton:9": "dns:///triton:9",
        "ipv4:127.0.0.1:1,127.0.0.1:2": "ipv4:127.0.0.1:1,127.0.0.1:2",
        "http://localhost": "http://localhost",
    }.items(),
)
def test_a_bare_host_has_the_port_of_grpc(given: str, url: str) -> None:
    assert Connection(url=given).url == url


def test_timeout_must_be_positive() -> None:
    with pytest.raises(RequestError, match="above 0"):
        Connection(url="localhost:8001", timeout=0)


def test_closed_client_says_so(unused_url: str) -> None:
    panecho = PanEcho(unused_url)
    panecho.close()
    panecho.close()
    with pytest.raises(RequestError, match="closed"):
        _ = panecho.tasks


def test_a_call_under_way_learns_that_the_client_is_closed(silent_url: str) -> None:
    panecho = PanEcho(Connection(url=silent_url, connect_timeout=60))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: panecho.tasks)
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        panecho.close()
        with pytest.raises(RequestError, match="closed"):
            waiting.result(10)


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        ("INVALID_ARGUMENT", "video_sizes[0]: EMPTY_FILE: no bytes", RequestError),
        ("UNAVAILABLE", "Exceeds maximum queue size", ServerBusyError),
        ("UNAVAILABLE", "short of memory: clips of this request may be 308 MiB", ServerBusyError),
        ("RESOURCE_EXHAUSTED", "too many requests", ServerBusyError),
        ("UNAVAILABLE", "Request for unknown model: 'panecho' has no available versions", ServerUnavailableError),
        ("UNAVAILABLE", "Socket closed", ServerUnavailableError),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", DeadlineExceededError),
        ("NOT_FOUND", "Request for unknown model: 'panecho' is not found", IncompatibleServerError),
        ("UNIMPLEMENTED", "Method not found!", IncompatibleServerError),
        ("INTERNAL", "CUDA error", ServerError),
        ("PERMISSION_DENIED", "not yours", RequestError),
        ("UNAUTHENTICATED", "no token", RequestError),
    ],
)
def test_every_status_becomes_ours(status: str, text: str, kind: type[PanEchoError], unused_url: str) -> None:
    error = translated(InferenceServerException(text, status=f"StatusCode.{status}"), unused_url, "panecho", 1)
    assert type(error) is kind
    assert error.code == status
    assert text in str(error) or kind is DeadlineExceededError
