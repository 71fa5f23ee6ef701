"""Encryption, proof of who calls, and headers, with a server that demands them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import trustme

from panecho_client import (
    AsyncPanEcho,
    Connection,
    PanEcho,
    RequestError,
    Retry,
    ServerError,
    ServerUnavailableError,
    Tls,
)
from panecho_server import ServerSettings, TritonServer
from support.commands import invoke
from support.serve import running_server

ONCE = Retry(seconds=0)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def folder(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PEM files: ca, and key and certificate of the server and of a client."""
    target = tmp_path_factory.mktemp("certificates")
    authority.cert_pem.write_to_path(target / "ca.pem")
    for name, certificate in {
        "server": authority.issue_cert("localhost", "127.0.0.1"),
        "client": authority.issue_cert("client@example.org"),
    }.items():
        certificate.private_key_pem.write_to_path(target / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(target / f"{name}.pem")
    return target


@pytest.fixture(scope="module")
def secured(folder: Path, cold_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A server that takes gRPC from holders of a certificate only, and lets few change what it serves."""
    settings = ServerSettings(
        model_repository=cold_repository,
        tls_certificate=folder / "server.pem",
        tls_key=folder / "server.key",
        tls_client_ca=folder / "ca.pem",
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=tmp_path_factory.mktemp("log") / "tritonserver.log",
        options={"grpc-header-forward-pattern": "frame_rate", "http-header-forward-pattern": "frame_rate"},
    )
    with running_server(settings) as running:
        yield running


@pytest.fixture
def mutual(folder: Path) -> Tls:
    return Tls(
        root_certificates=folder / "ca.pem",
        private_key=folder / "client.key",
        certificate=folder / "client.pem",
    )


@pytest.mark.slow
def test_mutual_tls(secured: TritonServer, mutual: Tls) -> None:
    with PanEcho(Connection(url=secured.grpc_url, tls=mutual)) as panecho:
        assert len(panecho.tasks) == 40


@pytest.mark.slow
def test_commands_that_ask_about_a_server_can_be_let_in(secured: TritonServer, folder: Path) -> None:
    names = {"--root-certificates": "ca.pem", "--certificate": "client.pem", "--private-key": "client.key"}
    files = [word for option, name in names.items() for word in (option, str(folder / name))]
    for command in ("doctor", "models"):
        asked = [command, "--url", secured.grpc_url]
        assert invoke(*asked).exit_code == 1
        let_in = invoke(*asked, *files)
        assert let_in.exit_code == 0, let_in.output
        assert "postprocessing" in let_in.stdout


@pytest.mark.slow
@pytest.mark.parametrize("files", [{}, {"root_certificates": "ca.pem"}])
def test_without_a_certificate_nobody_gets_in(secured: TritonServer, folder: Path, files: dict[str, str]) -> None:
    tls = Tls(**{name: folder / file for name, file in files.items()})
    for settings in (tls, None):
        connection = Connection(url=secured.grpc_url, tls=settings, connect_timeout=5, retry=ONCE)
        with PanEcho(connection) as panecho, pytest.raises(ServerUnavailableError):
            _ = panecho.tasks


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["", "http://"])
def test_headers_are_sent_with_every_request(secured: TritonServer, mutual: Tls, cine: Path, scheme: str) -> None:
    # This server hands the header on as a request parameter of the same name.
    url = scheme + (secured.http_url if scheme else secured.grpc_url)
    connection = Connection(url=url, tls=None if scheme else mutual, headers={"frame_rate": "500"})
    with PanEcho(connection) as panecho, pytest.raises(RequestError, match=r"frame_rate=500\.0"):
        panecho.predict_study(cine)


@pytest.mark.slow
def test_a_server_that_loads_nothing_says_so(secured: TritonServer, mutual: Tls) -> None:
    with (
        PanEcho(Connection(url=secured.grpc_url, tls=mutual)) as panecho,
        pytest.raises(ServerError, match="--load image_encoder"),
    ):
        panecho.embed_frames(np.zeros((1, 224, 224, 3), np.uint8))


@pytest.mark.slow
def test_a_server_that_forbids_shared_memory_says_so(secured: TritonServer, mutual: Tls, cine: Path) -> None:
    connection = Connection(url=secured.grpc_url, tls=mutual, shared_memory=True)
    with PanEcho(connection) as panecho, pytest.raises(RequestError, match="Turn it off"):
        panecho.predict_study(cine)


@asynccontextmanager
async def encrypting(target: str, certificates: Path) -> AsyncIterator[str]:
    """A proxy in front of an HTTP server that speaks TLS, as in production a gateway does."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    host, port = target.split(":")

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, onward[1]), copy(onward[0], writer), return_exceptions=True)

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as listening:
        yield f"https://localhost:{listening.sockets[0].getsockname()[1]}"


def test_https(server: TritonServer, folder: Path) -> None:
    async def ask() -> None:
        async with encrypting(server.http_url, folder) as url:
            trusting = Connection(url=url, tls=Tls(root_certificates=folder / "ca.pem"))
            async with AsyncPanEcho(trusting) as panecho:
                assert len(await panecho.tasks()) == 40
            async with AsyncPanEcho(Connection(url=url, retry=ONCE)) as panecho:
                with pytest.raises(ServerUnavailableError, match=r"(?i)certificate"):
                    await panecho.tasks()

    asyncio.run(ask())


def test_wrong_certificates_are_found_without_a_server(folder: Path) -> None:
    with pytest.raises(RequestError, match="certificate and private_key go together"):
        Tls(private_key=folder / "client.key")
    with pytest.raises(RequestError, match=r"root_certificates: .*missing\.pem is not a file") as caught:
        Tls(root_certificates=folder / "missing.pem")
    assert caught.value.paths == (folder / "missing.pem",)
    with pytest.raises(RequestError, match="the scheme is https"):
        Connection(url="http://localhost:8000", tls=Tls(root_certificates=folder / "ca.pem"))
