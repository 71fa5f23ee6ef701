"""A real nginx with the configuration that we ship, in front of a real server, on this machine alone."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from panecho_client import Connection, Retry, Tls
from panecho_server import TritonServer

SHIPPED = Path(__file__).parents[2] / "deploy/nginx"
STARTING_SECONDS = 10
TOKENS = {"radiology": "a1" * 32, "research": "b2" * 32}


@dataclass(frozen=True)
class Proxy:
    """A running nginx.

    Attributes:
        folder: Its configuration, secrets and logs.
        port: Where it listens, with TLS.
        process: Its master process.
    """

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def certificates(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def calls(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def errors(self) -> str:
        return (self.folder / "stderr").read_text()

    def url(self, scheme: str) -> str:
        return f"{scheme}localhost:{self.port}"

    def connection(self, scheme: str = "", caller: str = "radiology", retry: Retry | None = None) -> Connection:
        """The connection of a caller who is known by a token; an unknown caller has one that is not."""
        token = TOKENS.get(caller, "c3" * 32)
        return Connection(
            url=self.url(scheme),
            tls=Tls(root_certificates=self.certificates),
            headers={"Authorization": f"Bearer {token}"} if caller else {},
            retry=retry or Retry(seconds=0),
        )

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_tokens(folder: Path, tokens: Mapping[str, str]) -> None:
    lines = [f'"Bearer {token}" {caller};\n' for caller, token in tokens.items()]
    (folder / "secrets/tokens.map").write_text("".join(lines))


def lay_out(folder: Path, server: TritonServer, changes: Mapping[str, str]) -> None:
    """Write what we ship, with other ports and folders, and certificates of a new authority."""
    text = (SHIPPED / "nginx.conf").read_text()
    for shipped, changed in changes.items():
        assert shipped in text
        text = text.replace(shipped, changed)
    (folder / "nginx.conf").write_text(text)
    upstreams = (SHIPPED / "upstreams.conf").read_text()
    upstreams = upstreams.replace("127.0.0.1:8001", server.grpc_url).replace("127.0.0.1:8000", server.http_url)
    (folder / "upstreams.conf").write_text(upstreams)
    (folder / "secrets").mkdir()
    write_tokens(folder, TOKENS)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "secrets/tls.key")
    certificate.cert_chain_pems[0].write_to_path(folder / "secrets/tls.crt")


@contextmanager
def running_proxy(folder: Path, server: TritonServer, changes: Mapping[str, str] | None = None) -> Iterator[Proxy]:
    """Run nginx; ``changes`` are made to the shipped configuration."""
    executable = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if executable is None:
        pytest.skip("needs nginx: apt-get install --no-install-recommends nginx-light")
    port = free_port()
    lay_out(folder, server, {"listen 8443": f"listen 127.0.0.1:{port}", "/tmp/": f"{folder}/", **(changes or {})})  # noqa: S108 - what we ship
    command = [executable, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"]
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
    proxy = Proxy(folder, port, process)
    try:
        wait_for(proxy)
        yield proxy
    finally:
        process.terminate()
        process.wait(30)


def wait_for(proxy: Proxy) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while proxy.process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", proxy.port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"nginx did not start:\n{proxy.errors}")
