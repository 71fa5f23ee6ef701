"""A small DICOMweb server with the faults of real ones, on this machine only."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BOUNDARY = "part"


@dataclass
class Pacs:
    """What the server holds, and how it fails.

    Attributes:
        studies: Bytes of the instances of each study; an instance that is a number is answered with that status.
        modality: Of each study, if not US.
        refused: Parameters of a search that are answered with 400.
        untold: Tags that are left out of answers to searches for studies.
        cut: Bytes that are cut off the end of each instance's answer.
        url: Address.
    """

    studies: Mapping[str, Sequence[bytes | int]]
    modality: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    untold: frozenset[str] = frozenset()
    cut: int = 0
    url: str = ""

    def answer(self, parts: list[str], query: dict[str, list[str]]) -> tuple[int, str, bytes]:
        """Return status, content type and body."""
        if self.refused & query.keys():
            return 400, "text/plain", b"not supported"
        if parts == ["studies"]:
            return self._list([self._study(uid) for uid in self.studies], query)
        study = parts[1]
        if parts[-1] == "series":
            return self._list([self._series(study)], query)
        if parts[-1] == "instances":
            count = range(len(self.studies[study]))
            found: list[dict[str, object]] = [
                {"00080018": element("UI", f"{study}.1.{number}"), "00200013": element("IS", number)}
                for number in count
            ]
            return self._list(found, query)
        instance = self.studies[study][int(parts[-1].rpartition(".")[2])]
        if isinstance(instance, int):
            return instance, "text/plain", b""
        body = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + instance
        body += f"\r\n--{BOUNDARY}--\r\n".encode()
        return 200, f'multipart/related; type="application/dicom"; boundary={BOUNDARY}', body[: len(body) - self.cut]

    def _study(self, uid: str) -> dict[str, object]:
        told = {
            "0020000D": element("UI", uid),
            "00080061": element("CS", self.modality.get(uid, "US")),
            "00080020": element("DA", f"2026010{uid[-1]}"),
            "00100020": element("LO", f"P{uid[-1]}"),
        }
        return {tag: value for tag, value in told.items() if tag not in self.untold}

    def _series(self, study: str) -> dict[str, object]:
        return {
            "0020000E": element("UI", f"{study}.1"),
            "00080060": element("CS", self.modality.get(study, "US")),
            "00201209": element("IS", len(self.studies[study])),
        }

    def _list(self, found: list[dict[str, object]], query: dict[str, list[str]]) -> tuple[int, str, bytes]:
        page = found[int(query.get("offset", ["0"])[0]) :]
        return (200, "application/dicom+json", json.dumps(page).encode()) if page else (204, "text/plain", b"")


def element(vr: str, value: object) -> dict[str, object]:
    """Return an element of DICOM JSON."""
    return {"vr": vr, "Value": [value]}


@contextmanager
def running(pacs: Pacs) -> Iterator[Pacs]:
    """Run the server, and give it with its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            parts = [part for part in address.path.split("/") if part][1:]
            status, kind, body = pacs.answer(parts, parse_qs(address.query, keep_blank_values=True))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) + (pacs.cut if kind.startswith("multipart") else 0)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = bool(pacs.cut)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        pacs.url = f"http://127.0.0.1:{server.server_port}/dicom-web"
        yield pacs
        server.shutdown()
