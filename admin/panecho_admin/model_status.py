"""What a server says about itself and its models, for ``panecho doctor`` and ``panecho models``. Asks over gRPC."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from panecho_client import Connection, PanEchoError
from panecho_client.triton import (
    ENSEMBLE,
    Description,
    call_headers,
    open_client,
    parse_description,
    translated_errors,
)

FAILURES_COUNTED = 2
"""How often Triton counts a study that failed, for the ensemble; the monitoring rules know it too."""


@dataclass(frozen=True, kw_only=True)
class ServerStatus:
    """A server that answers.

    Attributes:
        version: Of Triton.
        extensions: What it supports beyond the protocol.
        live: Whether it says that it runs.
        ready: Whether it says that every model can be asked.
    """

    version: str
    extensions: tuple[str, ...]
    live: bool
    ready: bool


@dataclass(frozen=True, kw_only=True)
class ModelStatus:
    """A model of a server. Counts are since the server's start, over all versions; 0 for a model that is not there.

    Attributes:
        name: Of the model.
        ready: Whether it answers now.
        versions: Versions that are served.
        max_batch_size: Rows that it runs at a time at most; 0 for a model that does not batch.
        requests: Requests answered.
        failures: Requests failed.
        executions: Runs, each of a batch.
        queue_milliseconds: Mean time that an answered request waited.
        reason: What the server says about a model that is not ready.
    """

    name: str
    ready: bool
    versions: tuple[str, ...] = ()
    max_batch_size: int = 0
    requests: int = 0
    failures: int = 0
    executions: int = 0
    queue_milliseconds: float = 0.0
    reason: str = ""


class StatusClient:
    """Asks a server about itself.

    Args:
        connection: How to reach it. Each question must be answered within its ``timeout``.

    Raises:
        RequestError: The address is not one of a single server's gRPC.
        PanEchoError: From each method: nothing answers, not in time, or the server fails.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = open_client(connection)
        self._options: dict[str, Any] = {"client_timeout": connection.timeout, "headers": call_headers(connection)}

    def server(self) -> ServerStatus:
        """Return what the server is."""
        with self._translating(ENSEMBLE):
            about = self._client.get_server_metadata(**self._options)
            return ServerStatus(
                version=about.version,
                extensions=tuple(about.extensions),
                live=self._client.is_server_live(**self._options),
                ready=self._client.is_server_ready(**self._options),
            )

    def model(self, name: str) -> ModelStatus:
        """Return what a model is and has done."""
        with self._translating(name):
            if not self._client.is_model_ready(name, **self._options):
                return ModelStatus(name=name, ready=False, reason=self._reason(name))
            versions = self._client.get_model_metadata(name, **self._options).versions
            config = self._client.get_model_config(name, **self._options).config
            counts = self._client.get_inference_statistics(name, **self._options).model_stats
        answered = sum(count.inference_stats.success.count for count in counts)
        waited = sum(count.inference_stats.queue.ns for count in counts)
        failed = sum(count.inference_stats.fail.count for count in counts)
        return ModelStatus(
            name=name,
            ready=True,
            versions=tuple(versions),
            max_batch_size=config.max_batch_size,
            requests=answered,
            failures=failed // FAILURES_COUNTED if name == ENSEMBLE else failed,
            executions=sum(count.execution_count for count in counts),
            queue_milliseconds=waited / answered / 1e6 if answered else 0.0,
        )

    def description(self) -> Description:
        """Return the tasks and weights that are served."""
        with self._translating(ENSEMBLE):
            parameters = self._client.get_model_config(ENSEMBLE, **self._options).config.parameters
        return parse_description({name: parameter.string_value for name, parameter in parameters.items()})

    def _reason(self, name: str) -> str:
        try:
            with self._translating(name):
                index = self._client.get_model_repository_index(**self._options).models
        except PanEchoError:
            return "the server does not tell why; its log does"
        return next((model.reason or model.state for model in index if model.name == name), "no such model")

    def _translating(self, model: str) -> AbstractContextManager[None]:
        return translated_errors(self._connection.url, model, self._connection.timeout)

    def __enter__(self) -> Self:
        """Return the object."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._client.close()
