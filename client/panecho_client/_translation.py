"""From what goes wrong on the wire to our errors."""

from tritonclient.utils import InferenceServerException

from panecho_client._exceptions import (
    DeadlineExceededError,
    IncompatibleServerError,
    PanEchoError,
    RequestError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
)

START_ONE = "start one with `panecho serve`, or give the address of its gRPC port (8001 by default; 8000 is HTTP)"

# With these Triton rejects a request without having begun it.
BUSY = ("exceeds maximum queue size", "request timeout expired")

# What is said of a connection that ended during a call; also part of what is said when none could be made.
BROKEN = ("socket closed", "connection reset", "broken pipe", "goaway", "server disconnected")
NEVER_MADE = ("failed to connect", "connections to all backends failing", "cannot connect")


def translated(error: InferenceServerException, url: str, model: str, timeout: float) -> PanEchoError:
    """Return our error for Triton's."""
    code = str(error.status() or "UNKNOWN").removeprefix("StatusCode.")
    text = error.message() or "no details"
    if code == "UNAVAILABLE":
        return _unavailable(url, model, text)
    if code == "RESOURCE_EXHAUSTED":
        return ServerBusyError(f"the server at {url} takes no more now ({text}); send it again later.", code=code)
    if code == "DEADLINE_EXCEEDED":
        return DeadlineExceededError(
            f"no answer from {url} within {timeout:g} s; check the address, send less, or allow more time."
        )
    if code == "INVALID_ARGUMENT":
        return RequestError(text)
    if code in ("NOT_FOUND", "UNIMPLEMENTED"):
        return IncompatibleServerError(f"{url} does not serve the model `{model}` ({text}); {START_ONE}.", code=code)
    return ServerError(f"the server at {url} failed: {text}; its log says more.", code=code)


def _unavailable(url: str, model: str, text: str) -> ServerUnavailableError:
    """Return the error for a server that is not there, not ready or takes no more."""
    lowered = text.lower()
    if any(sign in lowered for sign in BUSY):
        return ServerBusyError(f"the server at {url} takes no more requests now ({text}); send it again later.")
    if "unknown model" in lowered:
        return ServerUnavailableError(f"the model `{model}` at {url} is not ready ({text}); try again later.")
    if any(sign in lowered for sign in BROKEN) and not any(sign in lowered for sign in NEVER_MADE):
        return ServerUnavailableError(f"the connection to {url} broke ({text}); see the server's log, try again.")
    return ServerUnavailableError(f"no gRPC server answers at {url} ({text}); {START_ONE}.")
