"""How requests reach the server. The only module that knows tritonclient; nothing of it gets out, errors included.

Another protocol is another class with ``get_config``, ``infer`` and ``close``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from panecho_client._exceptions import (
    DeadlineExceededError,
    IncompatibleServerError,
    PanEchoError,
    RequestError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
)
from panecho_client._files import MAX_MESSAGE_BYTES

MODEL = "panecho"
START_ONE = "start one with `panecho serve`, or give the address of its gRPC port (8001 by default; 8000 is HTTP)"

# With these Triton rejects a request without having begun it.
BUSY = ("exceeds maximum queue size", "request timeout expired")

# What gRPC says of a connection that ended during a call; also part of what it says when it cannot connect.
BROKEN = ("socket closed", "connection reset", "broken pipe", "goaway")

Parameters: TypeAlias = Mapping[str, int | str]


class GrpcTransport:
    """A gRPC connection to one Triton server.

    Connecting happens with the first call.

    Args:
        url: ``host:port``.
        timeout: Seconds for one inference.
        connect_timeout: Seconds for every other call.
    """

    def __init__(self, url: str, *, timeout: float, connect_timeout: float) -> None:
        if url.startswith(("http://", "https://", "grpc://")):
            raise RequestError(f"{url}: leave out the scheme; an address is host:port, such as localhost:8001.")
        if min(timeout, connect_timeout) <= 0:
            raise RequestError("timeouts are seconds above 0.")
        self.url = url
        self.timeout = timeout
        self.connect_timeout = connect_timeout
        self._client: InferenceServerClient | None = InferenceServerClient(url, channel_args=_channel_args(url))

    def get_config(self) -> dict[str, str]:
        """Return the parameters of the ensemble's model configuration; only a loaded model has one.

        Raises:
            PanEchoError: As ``infer``; a server that does not answer is noticed within ``connect_timeout``.
        """
        try:
            response = self._open().get_model_config(MODEL, client_timeout=self.connect_timeout)
        except InferenceServerException as error:
            raise self._translated(error, self.connect_timeout) from None
        return {name: parameter.string_value for name, parameter in response.config.parameters.items()}

    def infer(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str], parameters: Parameters
    ) -> dict[str, NDArray[Any]]:
        """Run the ensemble once and return the outputs by name.

        Raises:
            RequestError: The server refuses what was sent.
            ServerUnavailableError: It does not answer, or takes no more requests (ServerBusyError).
            DeadlineExceededError: No answer within ``timeout``.
            ServerError: Anything else.
        """
        try:
            result = self._open().infer(
                MODEL,
                [_input(name, array) for name, array in inputs.items()],
                outputs=[InferRequestedOutput(name) for name in outputs],
                parameters=dict(parameters),
                client_timeout=self.timeout,
            )
        except InferenceServerException as error:
            raise self._translated(error, self.timeout) from None
        arrays = {name: result.as_numpy(name) for name in outputs}
        return {name: array for name, array in arrays.items() if array is not None}

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def _open(self) -> InferenceServerClient:
        if self._client is None:
            raise RequestError("this PanEcho client is closed; make a new one.")
        return self._client

    def _translated(self, error: InferenceServerException, timeout: float) -> PanEchoError:
        code = (error.status() or "UNKNOWN").removeprefix("StatusCode.")
        text = error.message() or "no details"
        if code == "UNAVAILABLE":
            return self._unavailable(text)
        if code == "DEADLINE_EXCEEDED":
            return DeadlineExceededError(
                f"no answer from {self.url} within {timeout:g} s; check the address, send less, or allow more time."
            )
        if code == "INVALID_ARGUMENT":
            return RequestError(text)
        if code in ("NOT_FOUND", "UNIMPLEMENTED"):
            return IncompatibleServerError(
                f"{self.url} does not serve the model `{MODEL}` ({text}); {START_ONE}.", code=code
            )
        return ServerError(f"the server at {self.url} failed: {text}; its log says more.", code=code)

    def _unavailable(self, text: str) -> ServerUnavailableError:
        lowered = text.lower()
        if any(sign in lowered for sign in BUSY):
            return ServerBusyError(
                f"the server at {self.url} takes no more requests now ({text}); send it again later."
            )
        if "unknown model" in lowered:
            return ServerUnavailableError(f"the model `{MODEL}` at {self.url} is not ready ({text}); try again later.")
        if any(sign in lowered for sign in BROKEN) and "failed to connect" not in lowered:
            return ServerUnavailableError(
                f"the connection to {self.url} broke ({text}); see the server's log, try again."
            )
        return ServerUnavailableError(f"no gRPC server answers at {self.url} ({text}); {START_ONE}.")


def _channel_args(url: str) -> list[tuple[str, int]]:
    """Return gRPC's options: messages as large as they get, and to this machine no proxy of the environment."""
    local = url.startswith(("localhost:", "127.", "[::1]:"))
    sizes = [(f"grpc.max_{way}_message_length", MAX_MESSAGE_BYTES) for way in ("send", "receive")]
    return [*sizes, ("grpc.enable_http_proxy", 0 if local else 1)]


def _input(name: str, array: NDArray[Any]) -> InferInput:
    tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return tensor.set_data_from_numpy(array)
