"""What every transport offers. Modules below this one use tritonclient and pass none of its types on."""

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from panecho_client._contract import Parameters, Tensors

CLOSED = "this PanEcho client is closed; make a new one."


class Transport(Protocol):
    """A connection to one Triton server, or to several alike. The first call connects."""

    async def get_config(self) -> dict[str, str]:
        """Return the parameters of the ensemble's model configuration; only a loaded model has one.

        Raises:
            PanEchoError: As ``infer``; a server that does not answer is noticed within ``connect_timeout``.
        """

    async def infer(
        self, model: str, inputs: Tensors, outputs: Sequence[str], parameters: Parameters
    ) -> dict[str, NDArray[Any]]:
        """Run a model once and return the outputs by name. Cancelling the task cancels the request on the server.

        Raises:
            RequestError: The server refuses what was sent.
            ServerUnavailableError: It does not answer, or takes no more requests (ServerBusyError).
            DeadlineExceededError: No answer within ``timeout``.
            ServerError: Anything else.
        """

    async def is_ready(self, model: str) -> bool:
        """Tell whether a model is loaded; errors as of ``get_config``."""

    async def load(self, model: str) -> None:
        """Make the server load a model of its repository.

        Raises:
            ServerError: The server does not load it, or does not allow callers to load models.
            PanEchoError: As ``infer``.
        """

    async def close(self) -> None:
        """Close the connection."""


def named_arrays(result: Any, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:  # noqa: ANN401 - tritonclient's two results share no type
    """Return the outputs by name; one that the server did not send is missing."""
    arrays = {name: result.as_numpy(name) for name in outputs}
    return {name: array for name, array in arrays.items() if array is not None}
