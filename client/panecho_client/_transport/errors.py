"""Translates errors of gRPC and HTTP, which name the same things differently, to ours."""

from collections.abc import Callable
from typing import TypeAlias

from tritonclient.utils import InferenceServerException

from panecho_client._exceptions import (
    NOTHING_USABLE,
    DeadlineExceededError,
    IncompatibleServerError,
    NoUsableVideoError,
    PanEchoError,
    RequestError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
)

START_ONE = (
    "start one with `panecho serve`, or check the address (host:8001 is gRPC; 8000 is HTTP, as http://host:8000)"
)

# Triton's text, as NOT_FOUND, for a model that it is loading, or unloading because the server stops.
LOADING = "has no available versions"

# Texts with which Triton, or preprocessing, rejects a request before starting it.
BUSY = ("exceeds maximum queue size", "request timeout expired", "short of memory")

# Triton's text, as INTERNAL, for a Python model whose process has died.
DEAD = "is not healthy"

# Triton's text for a study that is between two models when the server stops.
STOPPING = "server is stopping"

# Texts for a connection that ended during a call; some also appear when none could be made.
BROKEN = ("socket closed", "connection reset", "broken pipe", "goaway", "server disconnected")
NEVER_MADE = ("failed to connect", "connections to all backends failing", "cannot connect")

# Triton's text over gRPC, as UNAVAILABLE, for an API that is closed to callers without a certain header.
RESTRICTED = "protocol is restricted"
DENIED = "PERMISSION_DENIED"
UNKNOWN_CALLER = "UNAUTHENTICATED"

# Texts of a connection to a port that speaks otherwise, and what is wrong then.
NOT_TRUSTED = "its certificate is not trusted: name its authority's with root_certificates (--root-certificates)"
OTHER_PROTOCOLS = {
    "http1.x server": "it speaks HTTP, not gRPC: give http:// before the address, or the port of gRPC (8001)",
    "bad status line": "it speaks gRPC, not HTTP: leave http:// out, or give the port of HTTP (8000)",
    "wrong_version_number": "it does not encrypt: leave the certificates out, or give http:// instead of https://",
    "missing selected alpn": "it speaks HTTP with TLS, not gRPC: give https:// before the address",
    "certificate_verify_failed": NOT_TRUSTED,
    "certificate verify failed": NOT_TRUSTED,
}
MAYBE_TLS = "; if it asks for TLS, name its authority's certificate with root_certificates, and give https:// for HTTP"

Translation: TypeAlias = Callable[[InferenceServerException, str, str, float], PanEchoError]

_OF_HTTP = {
    "400": "INVALID_ARGUMENT",
    "401": "UNAUTHENTICATED",
    "403": "PERMISSION_DENIED",
    "404": "NOT_FOUND",
    "413": "INVALID_ARGUMENT",
    "429": "RESOURCE_EXHAUSTED",
    "499": "CANCELLED",
    "500": "INTERNAL",
    "501": "UNIMPLEMENTED",
    "502": "UNAVAILABLE",
    "503": "UNAVAILABLE",
    "504": "DEADLINE_EXCEEDED",
}


def translated(error: InferenceServerException, url: str, model: str, timeout: float) -> PanEchoError:
    """Return our error for Triton's."""
    status = str(error.status() or "UNKNOWN").removeprefix("StatusCode.")
    code = _OF_HTTP.get(status, status)
    text = error.message() or "no details"
    if code in (DENIED, UNKNOWN_CALLER) or RESTRICTED in text:
        return denied(url, text, code)
    if code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED") or LOADING in text or DEAD in text:
        return unavailable(url, model, text, code)
    if code == "DEADLINE_EXCEEDED":
        return late(url, timeout)
    if code == "INVALID_ARGUMENT":
        return NoUsableVideoError(text) if NOTHING_USABLE in text else RequestError(text)
    if code in ("NOT_FOUND", "UNIMPLEMENTED"):
        return IncompatibleServerError(f"{url} does not serve the model `{model}` ({text}); {START_ONE}.", code=code)
    return ServerError(f"the server at {url} failed: {text}; its log says more.", code=code)


def not_loaded(error: InferenceServerException, url: str, model: str, timeout: float) -> PanEchoError:
    """Return our error for a model that the server did not load on request."""
    found = translated(error, url, model, timeout)
    if isinstance(found, ServerUnavailableError | DeadlineExceededError):
        return found
    return ServerError(
        f"{url} does not load the model `{model}` ({error.message()}); start it with --load {model}, or Triton with "
        f"--model-control-mode=explicit --load-model={model}.",
        code=found.code,
    )


def denied(url: str, text: str, code: str) -> RequestError:
    """Return the error for a caller who is unknown, or not allowed to do this."""
    if code == UNKNOWN_CALLER:
        return RequestError(
            f"{url} does not know who asks ({text}); give your token: --token-file FILE, the environment variable "
            "PANECHO_TOKEN, or headers of Connection.",
            code=code,
        )
    return RequestError(f"{url} does not allow this ({text}); give credentials in headers.", code=DENIED)


def late(url: str, timeout: float) -> DeadlineExceededError:
    """Return the error for no answer in time."""
    return DeadlineExceededError(
        f"no answer from {url} within {timeout:g} s; check the address, send less, or allow more time."
    )


def unavailable(url: str, model: str, text: str, code: str = "UNAVAILABLE") -> ServerUnavailableError:
    """Return the error for a server that is not there, not ready or busy."""
    lowered = text.lower()
    if code == "RESOURCE_EXHAUSTED" or any(sign in lowered for sign in BUSY):
        return ServerBusyError(
            f"the server at {url} takes no more requests now ({text}); send it again later.", code=code
        )
    return ServerUnavailableError(_not_there(url, model, text, code))


def _not_there(url: str, model: str, text: str, code: str) -> str:
    """Return what is wrong with a server that is not there or not ready, and what to do."""
    lowered = text.lower()
    if DEAD in text:
        return f"a process of a model at {url} has died ({text}); the server needs a restart."
    if STOPPING in lowered or code == "CANCELLED":  # by the server: a call that its caller cancels ends otherwise
        return f"the server at {url} is being stopped ({text}); send it again when one runs."
    if "unknown model" in lowered:
        return f"the model `{model}` at {url} is not ready ({text}); try again later."
    return _no_connection(url, text)


def _no_connection(url: str, text: str) -> str:
    lowered = text.lower()
    broken, never_made = (any(sign in lowered for sign in signs) for signs in (BROKEN, NEVER_MADE))
    other = next((advice for sign, advice in OTHER_PROTOCOLS.items() if sign in lowered), None)
    if other:
        return f"{url} answers, but {other}."
    if broken and never_made:
        return f"{url} ends every connection at once ({text}); {START_ONE}{MAYBE_TLS}."
    if broken:
        maybe_tls = MAYBE_TLS if "server disconnected" in lowered else ""
        return f"the connection to {url} broke ({text}); see the server's log, try again{maybe_tls}."
    return f"no server answers at {url} ({text}); {START_ONE}."
