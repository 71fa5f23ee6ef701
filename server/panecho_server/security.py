"""What callers may not do, and encryption, as options of ``tritonserver``. See docs/operate/security.md."""

import secrets
import ssl
from pathlib import Path

from panecho_server.errors import StartError
from panecho_server.settings import ServerSettings

THIS_MACHINE = ("127.0.0.1", "localhost", "::1")

CLOSED_APIS = ("model-repository", "shared-memory", "trace", "logging")
"""Triton's names of the APIs that no caller needs for a prediction. Statistics stay open: they are counts and times."""

HEADER = "closed to callers"
"""Named in the error that a caller receives."""


def check_security(settings: ServerSettings) -> None:
    """Refuse settings that would open this machine to a network, and certificates that cannot be used.

    Raises:
        StartError: The text says which setting and what to do.
    """
    if settings.model_control and settings.host not in THIS_MACHINE:
        raise StartError(
            f"model control on {settings.host} would let everybody there run code on this machine; load models "
            "at start with --load, or restrict the API with a key of yours in `options`."
        )
    if settings.shared_memory and settings.host not in THIS_MACHINE:
        raise StartError(
            f"shared memory on {settings.host} would let everybody there use this machine's memory; it serves callers "
            "on this machine alone: leave out the host, or --shared-memory."
        )
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise StartError("TLS needs both a certificate and its key: --tls-certificate and --tls-key.")
    if settings.tls_client_ca is not None and settings.tls_certificate is None:
        raise StartError("--tls-client-ca goes with --tls-certificate and --tls-key.")
    for path in (settings.tls_certificate, settings.tls_key, settings.tls_client_ca):
        if path is not None and not Path(path).is_file():
            raise StartError(f"{path}: no such file; give the path of a PEM file.")
    if settings.tls_certificate is not None and settings.tls_key is not None:
        _try_certificates(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)


def _try_certificates(certificate: Path, key: Path, client_ca: Path | None) -> None:
    """Say what Triton would report as a port in use, after it has loaded every model."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password="")  # so that none is asked for
    except OSError as error:
        raise StartError(
            f"{certificate} and {key} are no certificate and its private key, unencrypted and as PEM ({error})."
        ) from error
    try:
        if client_ca is not None:
            context.load_verify_locations(client_ca)
    except OSError as error:
        raise StartError(f"{client_ca} holds no certificate as PEM ({error}).") from error


def closed_apis(settings: ServerSettings) -> dict[str, str]:
    """Return options that close APIs to every caller.

    HTTP is closed always: a web page in a browser on this machine could send such a request. What the settings open is
    open over gRPC alone.

    Triton opens a closed API to who sends a header of a given name and value, and other users of this machine can read
    both on the command line. So no request can hold them: gRPC refuses blanks in a name, HTTP ends a value at a line.
    """
    opened = {"model-repository": settings.model_control, "shared-memory": settings.shared_memory}
    closed = [api for api in CLOSED_APIS if not opened.get(api, False)]
    key = f"{HEADER}={secrets.token_urlsafe()}\r\n{secrets.token_urlsafe()}"
    return {
        "http-restricted-api": f"{','.join(CLOSED_APIS)}:{key}",
        "grpc-restricted-protocol": f"{','.join(closed)}:{key}",
    }


def http_host(settings: ServerSettings) -> str:
    """Return the address that HTTP listens on. Triton's HTTP has no TLS: with TLS it is this machine alone."""
    return settings.host if settings.tls_certificate is None else "127.0.0.1"
