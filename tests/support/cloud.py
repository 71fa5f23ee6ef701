"""Stands in for a cloud: a token service, and an object store that checks what signs the request."""

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

KEY, SECRET, SESSION, BEARER = "ASIATEMPORARY", "secret/of+the=key", "session//token==", "ya29.bearer"
IDENTITY = "header.of-the-pod.signature"
ROLE = "arn:aws:iam::123456789012:role/panecho-models"
REFUSAL = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
CREDENTIALS = f"""<AssumeRoleWithWebIdentityResponse>
  <AssumeRoleWithWebIdentityResult><Credentials>
    <SessionToken>{SESSION}</SessionToken><SecretAccessKey>{SECRET}</SecretAccessKey>
    <AccessKeyId>{KEY}</AccessKeyId><Expiration>2030-01-01T00:00:00Z</Expiration>
  </Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>
"""


@dataclass
class Cloud:
    """A running stand-in.

    Attributes:
        url: Its address. ``/aws``, ``/oauth`` and ``/azure`` are token services; ``/s3/FILE`` takes requests
            signed with the credentials of the first, ``/gcs/FILE`` those with the token of the others.
        folder: What its object store holds.
        refused: Paths of the requests that it has refused.
    """

    url: str
    folder: Path
    refused: list[str] = field(default_factory=list)


def signed(request: BaseHTTPRequestHandler) -> bool:
    """Tell whether a request is signed with the credentials, its session token included (AWS Signature Version 4)."""
    given = request.headers.get("Authorization", "")
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8}/[^/]+/s3/aws4_request), ?SignedHeaders=([^,]+), ?Signature=(\w+)",
        given,
    )
    if not found or found[1] != KEY or "x-amz-security-token" not in found[3].split(";"):
        return False
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in found[3].split(";"))
    payload = request.headers.get("x-amz-content-sha256", hashlib.sha256(b"").hexdigest())
    canonical = f"{request.command}\n{request.path}\n\n{headers}\n{found[3]}\n{payload}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{found[2]}\n{digest}"
    key = f"AWS4{SECRET}".encode()
    for part in found[2].split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return hmac.compare_digest(signature, found[4]) and request.headers["x-amz-security-token"] == SESSION


class Handler(BaseHTTPRequestHandler):
    """Answers for the cloud that ``running_cloud`` has set."""

    cloud: Cloud

    def do_POST(self) -> None:
        """Exchange the pod's identity for credentials."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if self.path == "/aws":
            known = form == {
                "Action": ["AssumeRoleWithWebIdentity"],
                "Version": ["2011-06-15"],
                "RoleSessionName": ["panecho"],
                "RoleArn": [ROLE],
                "WebIdentityToken": [IDENTITY],
            }
            self.answer(200 if known else 403, CREDENTIALS if known else REFUSAL)
        else:
            exchanged = form.get("subject_token") == [IDENTITY] and "audience" in form
            asserted = form.get("client_assertion") == [IDENTITY] and form.get("grant_type") == ["client_credentials"]
            known = asserted if self.path == "/azure" else exchanged
            token = {"access_token": BEARER, "token_type": "Bearer", "expires_in": 3599}
            self.answer(200 if known else 403, json.dumps(token if known else {"error": "invalid_grant"}, indent=1))

    def do_GET(self) -> None:
        """Give a file to whoever has shown credentials."""
        store, name = self.path.split("/")[1:]
        known = signed(self) if store == "s3" else self.headers.get("Authorization") == f"Bearer {BEARER}"
        if known:
            self.answer(200, (self.cloud.folder / name).read_bytes())
        else:
            self.answer(403, "")

    def answer(self, status: int, body: str | bytes) -> None:
        """Send an answer."""
        if status != 200:
            self.cloud.refused.append(self.path)
        content = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - of the base class
        """Print nothing."""


@contextmanager
def running_cloud(folder: Path) -> Iterator[Cloud]:
    """Run it on this machine alone."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        cloud = Cloud(f"http://127.0.0.1:{server.server_port}", folder)
        Handler.cloud = cloud
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        yield cloud
        server.shutdown()
        thread.join()
