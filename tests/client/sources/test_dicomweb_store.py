"""Answers to STOW-RS: what counts as stored, and what does not."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from panecho_client import PanEchoError, RequestError, ServerBusyError, ServerError
from panecho_client.sources import DicomWeb

REFUSED = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xA900]}}]}}
FULL = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xA700]}}]}}
STORED = {"00081199": {"vr": "SQ", "Value": [{}]}}


class Server(HTTPServer):
    """Answers every POST in the same way, and keeps what it was sent."""

    status: int
    answer: Any
    body: bytes


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.body = self.rfile.read(int(self.headers["Content-Length"]))
        content = (
            self.server.answer if isinstance(self.server.answer, bytes) else json.dumps(self.server.answer).encode()
        )
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def pacs() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def store(pacs: Server, status: int, answer: object) -> None:
    pacs.status, pacs.answer = status, answer
    with DicomWeb(f"http://127.0.0.1:{pacs.server_port}/dicom-web") as server:
        server.store(b"\0content\r\n")


@pytest.mark.parametrize("answer", [STORED, [STORED], b"", b"<xml/>"])
def test_stored(pacs: Server, answer: object) -> None:
    store(pacs, 200, answer)
    start, _, end = pacs.body.partition(b"\r\n\r\n")
    assert end.startswith(b"\0content\r\n\r\n--")
    assert start.endswith(b"Content-Type: application/dicom")


@pytest.mark.parametrize(
    ("status", "answer", "kind", "text"),
    [
        (200, REFUSED, RequestError, r"does not take the report \(failure reason A900\)"),
        (202, [REFUSED], RequestError, r"failure reason A900"),
        (409, REFUSED, RequestError, r"failure reason A900"),
        (409, b"no JSON", RequestError, r"does not take the report; its log says more"),
        (200, FULL, ServerError, r"no room for the report \(failure reason A700\)"),
        (503, b"", ServerBusyError, r"takes no more requests now"),
        (500, b"", ServerError, r"failed \(500\)"),
        (401, b"", RequestError, r"refuses \(401\); give credentials"),
    ],
)
def test_not_stored(pacs: Server, status: int, answer: object, kind: type[PanEchoError], text: str) -> None:
    with pytest.raises(kind, match=text):
        store(pacs, status, answer)
