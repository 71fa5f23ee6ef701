"""How requests reach the server. The only module that knows tritonclient; nothing of it gets out, errors included.

Another protocol is another class with ``get_config``, ``infer`` and ``close``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from panecho_client._exceptions import RequestError
from panecho_client._files import MAX_MESSAGE_BYTES
from panecho_client._translation import translated

ENSEMBLE = "panecho"

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
        self._client: InferenceServerClient | None = InferenceServerClient(url, channel_args=channel_args(url))

    def get_config(self) -> dict[str, str]:
        """Return the parameters of the ensemble's model configuration; only a loaded model has one.

        Raises:
            PanEchoError: As ``infer``; a server that does not answer is noticed within ``connect_timeout``.
        """
        try:
            response = self._open().get_model_config(ENSEMBLE, client_timeout=self.connect_timeout)
        except InferenceServerException as error:
            raise translated(error, self.url, ENSEMBLE, self.connect_timeout) from None
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
                ENSEMBLE,
                [_input(name, array) for name, array in inputs.items()],
                outputs=[InferRequestedOutput(name) for name in outputs],
                parameters=dict(parameters),
                client_timeout=self.timeout,
            )
        except InferenceServerException as error:
            raise translated(error, self.url, ENSEMBLE, self.timeout) from None
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


def channel_args(url: str) -> list[tuple[str, int]]:
    """Return gRPC's options: messages as large as they get, and to this machine no proxy of the environment."""
    local = url.startswith(("localhost:", "127.", "[::1]:"))
    sizes = [(f"grpc.max_{way}_message_length", MAX_MESSAGE_BYTES) for way in ("send", "receive")]
    return [*sizes, ("grpc.enable_http_proxy", 0 if local else 1)]


def _input(name: str, array: NDArray[Any]) -> InferInput:
    tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return tensor.set_data_from_numpy(array)
