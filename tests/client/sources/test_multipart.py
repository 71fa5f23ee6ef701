"""Answers of DICOMweb servers: the file comes out as its bytes are."""

import random
from collections.abc import Iterator

import pytest

from panecho_client.sources.multipart import NoInstanceError, instance_bytes

KIND = 'multipart/related; type="application/dicom"; boundary='
FILE = bytes(128) + b"DICM" + bytes(range(256)) * 20


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def read(kind: str, body: bytes, *, size: int = 1000, whole: bool = True) -> bytes:
    return b"".join(instance_bytes(kind, pieces(body, size), whole=whole))


def message(content: bytes, boundary: bytes = b"b", header: bytes = b"Content-Type: application/dicom\r\n") -> bytes:
    return b"--" + boundary + b"\r\n" + header + b"\r\n" + content + b"\r\n--" + boundary + b"--\r\n"


def test_any_bytes_come_out_as_they_are() -> None:
    """Drawn at random: contents that are made of the boundary's own letters, and pieces of any size."""
    chance = random.Random(0)  # noqa: S311 - no secret
    alphabet = b"\r\n-ab\0"
    for _ in range(2000):
        content = bytes(chance.choice(alphabet) for _ in range(chance.randrange(1, 60)))
        body = message(content, b"abab")
        if b"\r\n--abab" in b"\r\n" + content:
            continue
        assert read(f"{KIND}abab", body, size=chance.randrange(1, 20)) == content


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (f'{KIND}"b"', message(FILE)),
        (f"Multipart/Related;boundary=b;type=application/dicom{'':9}", message(FILE)),
        (f"{KIND}b", b"preamble\r\n" + message(FILE) + b"epilogue"),
        (f"{KIND}b", b"\r\n" + message(FILE)),
        (f"{KIND}b", message(FILE, header=b"")),
        (f"{KIND}b", message(FILE, header=b"Content-Type: application/octet-stream; transfer-syntax=*\r\n")),
        (f"{KIND}b", message(FILE, header=b"content-length: 5252\r\nCONTENT-TYPE: application/dicom\r\n")),
        (f"{KIND}b", message(FILE).replace(b"\r\n", b"\n")),
        (f"{KIND}b", message(FILE).removesuffix(b"\r\n--b--\r\n")),
        ("multipart/related", message(FILE)),
        ("multipart/related", FILE),
        ("application/dicom", FILE),
        ("application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50", FILE),
        ("", FILE),
    ],
)
def test_every_form_that_servers_send_is_read(kind: str, body: bytes) -> None:
    for size in (1, 7, 10_000):
        assert read(kind, body, size=size) == FILE


def test_a_length_protects_content_that_holds_the_boundary() -> None:
    content = b"one\r\n--b\r\ntwo\r\n--b--\r\nthree"
    header = f"Content-Type: application/dicom\r\nContent-Length: {len(content)}\r\n".encode()
    assert read(f"{KIND}b", message(content, header=header)) == content


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        (f"{KIND}b", message(FILE)[:3000], "cut off"),
        (f"{KIND}b", message(FILE, header=b"Content-Length: 9999\r\n"), "cut off"),
        (f"{KIND}b", message(FILE).removesuffix(b"--b--\r\n") + message(FILE), "several parts"),
        (f"{KIND}b", b"--b--\r\n", "no part"),
        (f"{KIND}b", b"", "does not hold the boundary"),
        (f"{KIND}other", message(FILE), "does not hold the boundary"),
        (f"{KIND}b", message(b""), "holds no file"),
        (f"{KIND}b", b"--b\r\n" + b"x" * 10**6, "is not multipart"),
        (
            f"{KIND}b",
            message(b"{}", header=b"Content-Type: application/dicom+json\r\n"),
            "application/dicom.json instead",
        ),
        ("text/html; charset=utf-8", b"<html>", "sends text/html instead of a DICOM file"),
        ("application/dicom", b"", "holds no file"),
    ],
)
def test_what_is_not_one_whole_file_is_named(kind: str, body: bytes, reason: str) -> None:
    with pytest.raises(NoInstanceError, match=reason):
        read(kind, body, whole=False)
