"""Reads the DICOM file out of an answer to a retrieval (WADO-RS), byte by byte as the server sent it.

PS3.18, 8.7.1: the answer is ``multipart/related`` (RFC 2387) with one part. Some servers send the file without that.
"""

import re
from collections.abc import Generator, Iterable, Iterator
from email.message import Message

__all__ = ["NoInstanceError", "instance_bytes"]

MULTIPART = "multipart/related"
BARE = ("application/dicom", "application/octet-stream", "")
"""Media types of a file: of a part, or of an answer that is not multipart; some servers name none."""

MAX_LINE = 1 << 16
"""Bytes of a line of a part's header, and of what stands before the first boundary."""

MAX_END = 128
"""Bytes that may follow a boundary on its line."""


class NoInstanceError(Exception):
    """An answer holds no instance, several, or part of one; the text says which, and names no identifier."""


def instance_bytes(content_type: str, chunks: Iterable[bytes], *, whole: bool) -> Iterator[bytes]:
    """Yield the file that an answer holds, piece by piece.

    Args:
        content_type: Header of the answer.
        chunks: Body of the answer, without its content encoding.
        whole: Whether HTTP itself tells where the body ends; then a missing last boundary is forgiven.

    Raises:
        NoInstanceError: There is not exactly one file, or it is cut off.
    """
    media_type, boundary = _parsed(content_type)
    body = _Body(chunks)
    if media_type == MULTIPART and (boundary or body.starts_with(b"--")):
        pieces = _only_part(body, boundary, whole=whole)
    else:
        _require_file("" if media_type == MULTIPART else media_type)
        pieces = body.rest()
    size = 0
    for piece in pieces:
        size += len(piece)
        yield piece
    if not size:
        raise NoInstanceError("the answer holds no file")


def _only_part(body: "_Body", boundary: bytes, *, whole: bool) -> Iterator[bytes]:
    """Yield the content of the one part; the first line names the boundary where the header does not."""
    if boundary:
        body.skip_past(b"--" + boundary)
    line = body.line()
    if not boundary:
        boundary, line = line[2:].rstrip(), b"\r" if line.endswith(b"\r") else b""
    if line.startswith(b"--"):
        raise NoInstanceError("the answer has no part")
    yield from body.exactly(_read_part_header(body))
    newline = b"\r\n" if line.endswith(b"\r") else b"\n"
    end = yield from body.until(re.compile(re.escape(newline + b"--" + boundary) + rb"(--|[ \t]{0,100}\r?\n)"))
    if end is None and not whole:
        raise NoInstanceError("the answer is cut off")
    if end not in (None, b"--"):
        raise NoInstanceError("the answer has several parts")


def _read_part_header(body: "_Body") -> int:
    """Read the lines before a part's content; return how many bytes they say it has, 0 where they do not."""
    lines = Message()
    while line := body.line().strip():
        name, _, value = line.decode("latin-1").partition(":")
        lines[name.strip()] = value.strip()
    _require_file(_parsed(str(lines.get("Content-Type", "")))[0])
    length = str(lines.get("Content-Length", ""))
    return int(length) if re.fullmatch("[0-9]{1,15}", length) else 0


def _parsed(content_type: str) -> tuple[str, bytes]:
    """Return the media type in lower case, and the boundary; empty where they are missing."""
    if not content_type:
        return "", b""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    return header.get_content_type(), boundary.encode("latin-1", "replace") if isinstance(boundary, str) else b""


def _require_file(media_type: str) -> None:
    if media_type not in BARE:
        raise NoInstanceError(f"it sends {media_type} instead of a DICOM file")


class _Body:
    """A body of which only a piece is in memory."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""

    def _more(self) -> bool:
        """Hold one more chunk; tell whether there was one."""
        chunk = next(self._chunks, None)
        self._held += chunk or b""
        return chunk is not None

    def starts_with(self, start: bytes) -> bool:
        """Tell whether the body starts so."""
        while len(self._held) < len(start) and self._more():
            pass
        return self._held.startswith(start)

    def skip_past(self, mark: bytes) -> None:
        """Drop everything up to the end of ``mark``."""
        while mark not in self._held:
            if len(self._held) > MAX_LINE or not self._more():
                raise NoInstanceError("the answer does not hold the boundary that it names")
        self._held = self._held.partition(mark)[2]

    def line(self) -> bytes:
        """Return the next line without its line feed."""
        while b"\n" not in self._held:
            if len(self._held) > MAX_LINE or not self._more():
                raise NoInstanceError("the answer is cut off, or is not multipart though it says so")
        line, _, self._held = self._held.partition(b"\n")
        return line

    def exactly(self, length: int) -> Iterator[bytes]:
        """Yield the next ``length`` bytes."""
        while length:
            if not self._held and not self._more():
                raise NoInstanceError("the answer is cut off")
            piece, self._held = self._held[:length], self._held[length:]
            length -= len(piece)
            yield piece

    def until(self, mark: re.Pattern[bytes]) -> Generator[bytes, None, bytes | None]:
        """Yield everything before the mark; return what its group matched, None where it does not come."""
        kept = len(mark.pattern) + MAX_END
        while not (found := mark.search(self._held)):
            piece, self._held = self._held[:-kept], self._held[-kept:]
            yield piece
            if not self._more():
                yield from self.rest()
                return None
        yield self._held[: found.start()]
        return found[1]

    def rest(self) -> Iterator[bytes]:
        """Yield what is left."""
        yield self._held
        self._held = b""
        yield from self._chunks
