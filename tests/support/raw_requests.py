"""Requests byte by byte, with headers that no library would send."""

import socket
from collections.abc import Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS = 1, 4


def http_status(port: int, call: str, header: str = "Accept: */*") -> int:
    """Send a request; return the status, or 0 where the connection is closed instead."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{call} HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n{header}\r\n\r\n".encode())
        answer = connection.recv(1000)
        return int(answer.split()[1]) if answer else 0


def grpc_answers(port: int, method: str, header: tuple[str, str]) -> bool:
    """Send an empty message to a method of Triton; tell whether a message comes back."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"/inference.GRPCInferenceService/{method}",
        ":authority": "here",
        "content-type": "application/grpc",
        "te": "trailers",
        header[0]: header[1],
    }
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())
    request = _frame(SETTINGS, 0, 0, b"") + _frame(HEADERS, END_HEADERS, 1, block)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(PREFACE + request + _frame(DATA, END_STREAM, 1, bytes(5)))
        return any(kind == DATA for kind in _kinds_until_the_end(connection))


def _text(text: str) -> bytes:
    encoded = text.encode()
    assert len(encoded) < 127
    return bytes([len(encoded)]) + encoded


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + content


def _kinds_until_the_end(connection: socket.socket) -> Iterator[int]:
    with connection.makefile("rb") as reader:
        while len(head := reader.read(9)) == 9:
            kind, flags = head[3], head[4]
            reader.read(int.from_bytes(head[:3]))
            yield kind
            if kind in (RST_STREAM, GOAWAY) or (kind in (DATA, HEADERS) and flags & END_STREAM):
                return
