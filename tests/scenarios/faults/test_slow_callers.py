"""Callers that send or read drop by drop: they get what they asked for, and nobody waits for them."""

import socket
from http.client import HTTPResponse
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from panecho_server import TritonServer
from support.wire import Arrays, infer_study, study_inputs

SMALL: dict[str, int | str] = {"num_clips": 1, "clip_length": 1}
LARGE: dict[str, int | str] = {"num_clips": 8, "clip_length": 16}
DROPS = 10

pytestmark = pytest.mark.slow


class Others:
    """The other callers; what they are answered must not change."""

    def __init__(self, url: str, file: bytes) -> None:
        self._client = tritonclient.grpc.InferenceServerClient(url)
        self._file = file
        self.expected = self.answer()

    def answer(self) -> Arrays:
        return infer_study(self._client, tritonclient.grpc, [self._file], ["EF"], SMALL)

    def go_on(self) -> None:
        np.testing.assert_allclose(self.answer()["EF"], self.expected["EF"], rtol=0, atol=1e-4)


@pytest.fixture
def others(server: TritonServer, cine: Path) -> Others:
    return Others(server.grpc_url, cine.read_bytes())


def http_request(model: str, file: bytes, output: str, parameters: dict[str, int | str]) -> tuple[bytes, bytes]:
    """Return head and body of a request for one output."""
    body, json_length = tritonclient.http.InferenceServerClient.generate_request_body(
        study_inputs(tritonclient.http, [file]),
        outputs=[tritonclient.http.InferRequestedOutput(output)],
        parameters=parameters,
    )
    head = (
        f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n"
        f"Inference-Header-Content-Length: {json_length}\r\n\r\n"
    )
    return head.encode(), body


def answer_of(connection: socket.socket, others: Others | None = None) -> tritonclient.http.InferResult:
    """Read an answer; in small pieces, with the others at work between them, where there are others."""
    response = HTTPResponse(connection)
    response.begin()
    size = int(response.headers["Content-Length"])
    content = b""
    while len(content) < size:
        content += response.read(size // DROPS + 1 if others else size)
        if others:
            others.go_on()
    json_length = response.headers["Inference-Header-Content-Length"]
    return tritonclient.http.InferResult.from_response_body(content, header_length=int(json_length))


def connected(server: TritonServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.http_port), timeout=60)


def test_who_sends_slowly_is_answered_and_holds_nobody_up(server: TritonServer, others: Others, cine: Path) -> None:
    head, body = http_request("panecho", cine.read_bytes(), "EF", SMALL)
    with connected(server) as connection:
        connection.sendall(head)
        for begin in range(0, len(body), step := len(body) // DROPS + 1):
            others.go_on()
            connection.sendall(body[begin : begin + step])
        ef = answer_of(connection).as_numpy("EF")
    np.testing.assert_allclose(ef, others.expected["EF"], rtol=0, atol=1e-4)


def test_who_reads_slowly_gets_it_all_and_holds_nobody_up(server: TritonServer, others: Others, cine: Path) -> None:
    head, body = http_request("preprocessing", cine.read_bytes(), "clips", LARGE)
    clips = []
    for company in (None, others):
        with connected(server) as connection:
            connection.sendall(head + body)
            clips.append(answer_of(connection, company).as_numpy("clips"))
    assert clips[0].size > 8 * 16 * 224 * 224
    np.testing.assert_array_equal(clips[1], clips[0])
