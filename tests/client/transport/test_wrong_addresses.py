"""Addresses that answer, but speak otherwise, and files that are no certificates: a sentence each, without a model."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme
from aiohttp import web

from panecho_client import Connection, PanEcho, RequestError, Retry, ServerUnavailableError, Tls


@dataclass(frozen=True)
class Ports:
    """Servers of both protocols, with and without TLS."""

    grpc: str
    grpc_tls: str
    http: str
    https: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("pem")
    authority, other = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(target / "ca.pem")
    other.cert_pem.write_to_path(target / "other.pem")
    certificate.private_key_pem.write_to_path(target / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(target / "cert.pem")
    (target / "bad.pem").write_text("nonsense")
    return target


@pytest.fixture(scope="module")
def ports(folder: Path) -> Iterator[Ports]:
    server = grpc.server(ThreadPoolExecutor(2))
    pair = ((folder / "key.pem").read_bytes(), (folder / "cert.pem").read_bytes())
    plain = server.add_insecure_port("localhost:0")
    secure = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([pair]))
    server.start()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    runner = web.AppRunner(web.Application())
    http, https = asyncio.run_coroutine_threadsafe(http_ports(runner, folder), loop).result(10)
    yield Ports(f"localhost:{plain}", f"localhost:{secure}", f"localhost:{http}", f"localhost:{https}")
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    server.stop(None)


async def http_ports(runner: web.AppRunner, folder: Path) -> tuple[int, int]:
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    for encrypted in (None, context):
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=encrypted).start()
    first, second = (address[1] for address in runner.addresses)
    return first, second


def said(url: str, tls: Tls | None = None) -> str:
    """Return the error of the first question."""
    connection = Connection(url=url, tls=tls, connect_timeout=5, retry=Retry(seconds=0))
    with PanEcho(connection) as panecho, pytest.raises(ServerUnavailableError) as caught:
        _ = panecho.tasks
    return str(caught.value)


def test_the_other_protocol_is_named(ports: Ports) -> None:
    assert said(ports.http) == (
        f"{ports.http} answers, but it speaks HTTP, not gRPC: give http:// before the address, or the port of gRPC "
        "(8001)."
    )
    assert said(f"http://{ports.grpc}") == (
        f"http://{ports.grpc} answers, but it speaks gRPC, not HTTP: leave http:// out, or give the port of HTTP "
        "(8000)."
    )


def test_encryption_on_one_side_alone_is_named(ports: Ports, folder: Path) -> None:
    tls = Tls(root_certificates=folder / "ca.pem")
    assert "answers, but it does not encrypt: leave the certificates out" in said(ports.grpc, tls)
    assert "answers, but it does not encrypt: " in said(f"https://{ports.http}", tls)
    assert "answers, but it speaks HTTP with TLS, not gRPC: give https://" in said(ports.https, tls)
    for url in (ports.grpc_tls, f"http://{ports.https}"):
        assert "if it asks for TLS, name its authority's certificate with root_certificates" in said(url)


def test_an_authority_that_is_not_trusted_is_named(ports: Ports, folder: Path) -> None:
    other = Tls(root_certificates=folder / "other.pem")
    for url in (ports.grpc_tls, f"https://{ports.https}"):
        assert said(url, other) == (
            f"{url} answers, but its certificate is not trusted: name its authority's with root_certificates "
            "(--root-certificates)."
        )


def test_files_that_are_no_certificates_are_named_before_anything_is_sent(folder: Path) -> None:
    bad, key, certificate = folder / "bad.pem", folder / "key.pem", folder / "cert.pem"
    with pytest.raises(RequestError, match=f"root_certificates: {bad} cannot be used"):
        Tls(root_certificates=bad)
    for one, other in ((bad, key), (certificate, bad), (key, certificate)):
        with pytest.raises(RequestError, match=f"certificate and private_key: {one} and {other} cannot be used"):
            Tls(certificate=one, private_key=other)
    Tls(root_certificates=folder / "ca.pem", certificate=certificate, private_key=key)
