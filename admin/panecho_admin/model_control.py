"""Loads, unloads and asks the models of a running server, over gRPC with Triton's model repository API."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from panecho_client import Connection, RequestError, ServerBusyError, ServerError
from panecho_client.triton import (
    DENIED,
    ENSEMBLE,
    ModelConfig,
    Parameters,
    call_headers,
    input_tensors,
    open_client,
    translated_errors,
)

BUSY_SECONDS = 60.0


class ModelControl:
    """Controls the models of one server.

    Args:
        connection: How to reach it. Its ``timeout`` is for one load or answer.

    Raises:
        RequestError: The address is not one of a single server's gRPC, or the server lets nobody control its models.
        PanEchoError: From each method: nothing answers, not in time, or the server fails.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._headers = call_headers(connection)
        self._client = open_client(connection)

    @property
    def url(self) -> str:
        """Address of the server."""
        return self._connection.url

    def require_control(self) -> None:
        """Raise RequestError when the server lets this caller control no models: the index is closed with the rest."""
        with self._translating(ENSEMBLE, self._connection.connect_timeout) as options:
            self._client.get_model_repository_index(**options)

    def load(self, model: str, config: str | None = None) -> None:
        """Load a model, or load it again if its files are newer than what was loaded. Requests go on meanwhile.

        Args:
            model: Its name.
            config: JSON of a configuration that is used instead of the model's config.pbtxt.

        Raises:
            ServerError: It cannot be loaded. What was loaded before is served as before.
        """
        try:
            with self._translating(model, self._connection.timeout) as options:
                self._client.load_model(model, config=config, **options)
        except RequestError as error:
            if error.code == DENIED:
                raise
            raise ServerError(f"`{model}` cannot be loaded: {error.message.strip()}", code=error.code) from None

    def unload(self, model: str) -> None:
        """Unload a model once its requests are answered; nothing happens if it is not loaded."""
        with self._translating(model, self._connection.timeout) as options:
            self._client.unload_model(model, **options)

    def is_ready(self, model: str) -> bool:
        """Tell whether a model is loaded."""
        with self._translating(model, self._connection.connect_timeout) as options:
            return bool(self._client.is_model_ready(model, **options))

    def config(self, model: str) -> ModelConfig:
        """Return the configuration with which a model is loaded."""
        with self._translating(model, self._connection.connect_timeout) as options:
            return self._client.get_model_config(model, **options).config

    def ask(
        self, model: str, inputs: Mapping[str, NDArray[Any]], parameters: Parameters | None = None
    ) -> dict[str, NDArray[Any]]:
        """Run a model and return all its outputs by name. A server that is busy is asked again for a minute."""
        retrying = Retrying(
            retry=retry_if_exception_type(ServerBusyError),
            stop=stop_after_delay(BUSY_SECONDS),
            wait=wait_exponential_jitter(max=5),
            reraise=True,
        )
        return retrying(self._ask, model, inputs, parameters or {})

    def _ask(self, model: str, inputs: Mapping[str, NDArray[Any]], parameters: Parameters) -> dict[str, NDArray[Any]]:
        with self._translating(model, self._connection.timeout) as options:
            result = self._client.infer(model, input_tensors(inputs), parameters=dict(parameters), **options)
        return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}

    @contextmanager
    def _translating(self, model: str, seconds: float) -> Iterator[dict[str, Any]]:
        """Give the options of a call. Say how control is allowed when the server denies it."""
        try:
            with translated_errors(self.url, model, seconds):
                yield {"headers": self._headers, "client_timeout": seconds}
        except RequestError as error:
            if error.code != DENIED:
                raise
            raise RequestError(
                f"{error.message} To change models, start the server with `panecho serve --model-control`, or give "
                "--admin-key-file with the container's key.",
                code=DENIED,
            ) from None

    def __enter__(self) -> Self:
        """Return the object."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._client.close()
