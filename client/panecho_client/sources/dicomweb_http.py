"""The HTTP side of DICOMweb: the libraries, how they are set up, and what their errors become."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from panecho_client._exceptions import (
    DeadlineExceededError,
    IncompatibleServerError,
    PanEchoError,
    RequestError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
)
from panecho_client.sources.multipart import NoInstanceError, instance_bytes

if TYPE_CHECKING:
    import requests
    from dicomweb_client import DICOMwebClient

PARALLEL = 4
"""Instances that are fetched at the same time."""

CHUNK = 1 << 20
"""Bytes of an instance in memory."""

LOCAL = ("localhost", "::1")

# In whatever transfer syntax it is stored: nothing is to be transcoded.
ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def read_address(url: str, address: str, server: str, *, example: str) -> tuple[str, bool]:
    """Return the server of an address, without path, and whether it is this machine, to which no proxy leads.

    Args:
        url: The address.
        address: What to call the address in an error.
        server: What to call the server in an error.
        example: An address that would do.

    Raises:
        RequestError: It is not a valid URL, or holds a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RequestError(f"{address} is a URL such as {example}.")
    if parts.username or parts.password:
        raise RequestError(f"give name and password of {server} as headers, not in its address.")
    return f"{parts.scheme}://{parts.netloc}", parts.hostname in LOCAL or parts.hostname.startswith("127.")


def make_session(headers: Mapping[str, str], verify: bool | str, *, local: bool) -> "requests.Session":  # noqa: FBT001 - or a file
    """Return an HTTP session that asks a busy or restarting server again; ``local`` uses no proxy."""
    with _needs_extra():
        import requests  # noqa: PLC0415 - the extra's
        from requests.adapters import HTTPAdapter  # noqa: PLC0415 - as above
        from urllib3 import Retry  # noqa: PLC0415 - as above
    retry = Retry(
        3,
        connect=1,
        read=1,
        status_forcelist=(429, 502, 503, 504),
        backoff_factor=0.5,
        respect_retry_after_header=False,  # it may ask for hours
        raise_on_status=False,
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=PARALLEL, max_retries=retry))
    session.headers.update(headers)
    session.verify = verify
    session.trust_env = not local
    return session


def make_client(url: str, session: "requests.Session", timeout: float) -> "DICOMwebClient":
    """Return the library's client."""
    with _needs_extra():
        from dicomweb_client import DICOMwebClient  # noqa: PLC0415 - the extra's
    logging.getLogger("dicomweb_client").setLevel(logging.WARNING)  # below, it logs UIDs
    client = DICOMwebClient(url, session=session, timeout=timeout, permissive_uid=True)
    client.set_http_retry_params(retry=False)  # its own wait half a minute for a server that is not there
    return client


def retrieved(session: "requests.Session", url: str, timeout: float) -> Iterator[bytes]:
    """Yield the bytes of the instance at an address, as the server sends them; nothing is parsed.

    Raises:
        NoInstanceError: The answer holds no whole instance.
        requests.RequestException: The server refuses or fails, or the connection does.
    """
    with session.get(url, headers={"Accept": ACCEPT}, stream=True, timeout=timeout) as answer:
        answer.raise_for_status()
        headers = answer.headers
        whole = "Content-Length" in headers or "Transfer-Encoding" in headers
        yield from instance_bytes(headers.get("Content-Type", ""), answer.iter_content(CHUNK), whole=whole)


@contextmanager
def translating(server: str, timeout: float, *, kind: str = "DICOMweb server") -> Iterator[None]:
    """Turn what the libraries raise into our errors, without the addresses, and so UIDs, that theirs quote.

    Args:
        server: Its address, without path.
        timeout: Seconds that it may be silent.
        kind: What should answer there.
    """
    from requests import exceptions  # noqa: PLC0415 - the extra's

    try:
        yield
    except PanEchoError:
        raise
    except NoInstanceError as error:
        raise ServerError(
            f"{server} does not send the file as DICOMweb says ({error}); its log may say more."
        ) from None
    except exceptions.HTTPError as error:
        raise _refused(server, 500 if error.response is None else error.response.status_code) from None
    except exceptions.SSLError:
        raise ServerUnavailableError(
            f"the certificate of {server} is not trusted; name the file of its authority in verify."
        ) from None
    except exceptions.InvalidJSONError:
        raise _incompatible(server, kind, "its answer is no JSON") from None
    except (exceptions.ChunkedEncodingError, exceptions.ContentDecodingError):
        raise ServerUnavailableError(f"{server} broke off an answer; try again.") from None
    except exceptions.RequestException as error:
        if _is_timeout(error):
            raise DeadlineExceededError(
                f"no answer from {server} within {timeout:g} s; check the address, or allow more time."
            ) from None
        raise ServerUnavailableError(
            f"no {kind} answers at {server} ({type(error).__name__}); check the address, try again."
        ) from None
    except Exception as error:  # noqa: BLE001 - a server may send anything, and one instance must not harm another
        raise _incompatible(server, kind, type(error).__name__) from None


def _is_timeout(error: "requests.RequestException") -> bool:
    """Tell a timeout from other failures; Requests calls it a ConnectionError when it was tried again."""
    from requests.exceptions import Timeout  # noqa: PLC0415 - the extra's
    from urllib3.exceptions import ReadTimeoutError  # noqa: PLC0415 - as above

    cause = error.args[0] if error.args else None
    return isinstance(error, Timeout) or isinstance(getattr(cause, "reason", cause), ReadTimeoutError)


def _refused(server: str, status: int) -> PanEchoError:
    if status in (401, 403):
        return RequestError(f"{server} refuses ({status}); give credentials in headers.", code="PERMISSION_DENIED")
    if status == 404:
        return RequestError(f"{server} has nothing there (404); check its address and the UID.", code="NOT_FOUND")
    if status in (429, 503):
        return ServerBusyError(f"{server} takes no more requests now ({status}); try again later.")
    if status in (502, 504):
        return ServerUnavailableError(f"nothing answers behind {server} ({status}); try again later.")
    if status < 500 or status == 501:
        return RequestError(f"{server} refuses the request ({status}); change the query.")
    return ServerError(f"{server} failed ({status}); its log says more.")


def _incompatible(server: str, kind: str, reason: str) -> IncompatibleServerError:
    return IncompatibleServerError(
        f"{server} does not answer as {_article(kind)} ({reason}); check the path of its address."
    )


def _article(kind: str) -> str:
    return f"a {kind}" if kind.startswith("DICOM") else kind


@contextmanager
def _needs_extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise RequestError(
            f"DICOMweb needs the dicomweb extra; in a checkout: pip install './client[dicomweb]' ({error})."
        ) from None
