"""Fetching the released weights from a real HTTP server that breaks off, refuses, changes the file, serves ranges."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from panecho_model import released_file
from panecho_model.errors import DownloadError
from panecho_model.released_file import fetch_released

CONTENT = bytes(range(256)) * 5000


@dataclass
class Server:
    """What the server does, and the requests that it saw."""

    url: str = ""
    content: bytes = CONTENT
    etag: str | None = '"one"'
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    break_after: list[int] = field(default_factory=list)
    change_after_break: bytes | None = None
    seen: list[str | None] = field(default_factory=list)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.seen.append(asked)
            if state.statuses:
                self.send_error(state.statuses.pop(0))
                return
            partial = asked and state.ranges and self.headers.get("If-Range") == state.etag
            start = int(asked.removeprefix("bytes=").rstrip("-")) if partial and asked else 0
            body = state.content[start:]
            self.send_response(206 if partial else 200)
            self.send_header("Content-Length", str(len(body)))
            if state.etag:
                self.send_header("ETag", state.etag)
            self.end_headers()
            if state.break_after:
                self.wfile.write(body[: state.break_after.pop(0)])
                if state.change_after_break is not None:
                    state.content, state.etag = state.change_after_break, '"two"'
                self.close_connection = True
                return
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{httpd.server_port}/v1.0/panecho.pt"
    monkeypatch.setenv("PANECHO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PANECHO_ACCEPT_LICENCE", raising=False)
    monkeypatch.setattr(released_file, "FIRST_WAIT", 0.01)
    yield state
    httpd.shutdown()
    httpd.server_close()


def fetch(served: Server, sha256: str | None = None) -> bytes:
    return fetch_released(url=served.url, sha256=sha256, accept_licence=True).read_bytes()


def test_fetched_once(served: Server) -> None:
    seen: list[tuple[int, int | None]] = []
    path = fetch_released(
        url=served.url, accept_licence=True, on_progress=lambda done, total: seen.append((done, total))
    )
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert fetch_released(url=served.url) == path  # the licence was accepted before
    assert served.seen == [None]
    assert [file.name for file in path.parent.iterdir()] == ["panecho.pt"]


def test_the_licence_comes_first(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DownloadError, match=r"CC BY-NC-SA 4\.0.*--accept-licence.*PANECHO_ACCEPT_LICENCE=1"):
        fetch_released(url=served.url)
    assert served.seen == []
    monkeypatch.setenv("PANECHO_ACCEPT_LICENCE", "1")
    assert fetch_released(url=served.url).read_bytes() == CONTENT


def test_a_download_that_breaks_off_goes_on(served: Server) -> None:
    served.break_after = [400_000, 200_000]
    assert fetch(served) == CONTENT
    assert served.seen == [None, "bytes=400000-", "bytes=600000-"]


def test_without_ranges_it_starts_again(served: Server) -> None:
    served.break_after, served.ranges = [400_000], False
    assert fetch(served) == CONTENT


def test_a_file_that_changes_between_is_not_mixed(served: Server) -> None:
    served.break_after, served.change_after_break = [400_000], CONTENT[::-1]
    assert fetch(served) == CONTENT[::-1]


def test_without_a_version_nothing_is_appended(served: Server) -> None:
    served.break_after, served.etag, served.change_after_break = [400_000], None, CONTENT[::-1]
    assert fetch(served) == CONTENT[::-1]


def test_a_busy_server_is_asked_again(served: Server) -> None:
    served.statuses = [503, 429, 500]
    assert fetch(served) == CONTENT


def test_a_server_that_never_recovers(served: Server) -> None:
    served.statuses = [503] * 9
    with pytest.raises(DownloadError, match=r"HTTP 503.*by hand.*--checkpoint"):
        fetch(served)
    assert len(served.seen) == released_file.ATTEMPTS


def test_not_found_is_said_at_once(served: Server) -> None:
    served.statuses = [404]
    with pytest.raises(DownloadError, match=r"HTTP 404 Not Found.*by hand"):
        fetch(served)
    assert len(served.seen) == 1


def test_no_network(monkeypatch: pytest.MonkeyPatch, unused_url: str, tmp_path: Path) -> None:
    monkeypatch.setenv("PANECHO_CACHE", str(tmp_path))
    monkeypatch.setattr(released_file, "FIRST_WAIT", 0.01)
    with pytest.raises(DownloadError, match=r"refused.*Download the file by hand"):
        fetch_released(url=f"http://{unused_url}/panecho.pt", accept_licence=True)


def test_the_digest_is_checked(served: Server) -> None:
    assert fetch(served, hashlib.sha256(CONTENT).hexdigest().upper()) == CONTENT
    with pytest.raises(DownloadError, match=r"has SHA-256 [0-9a-f]{64}, not 00; it was removed"):
        fetch(served, "00")
    served.content = b"other"
    assert fetch(served) == b"other"  # removed, so fetched again


def test_a_full_disk_is_named(served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PANECHO_CACHE", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match=r"cannot be written.*PANECHO_CACHE"):
        fetch(served)
