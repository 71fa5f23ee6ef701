"""A pipeline in the place of a server: the client's calls, and so its outputs and runs, work on it unchanged."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from panecho_client import IncompatibleServerError, PanEchoError, RequestError, ServerBusyError, ServerError
from panecho_local.pipeline import Parameters, Pipeline, Tensors
from panecho_postprocessing.aggregation import InvalidClipsError
from panecho_preprocessing.errors import InvalidRequestError, ShortOfMemoryError


class LocalTransport:
    """What the client asks a server for, answered by a pipeline in this process.

    Args:
        pipeline: The pipeline.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def get_config(self) -> dict[str, str]:
        """Return the parameters that describe tasks and weights."""
        return dict(self._pipeline.description)

    async def infer(
        self, model: str, inputs: Tensors, outputs: Sequence[str], parameters: Parameters
    ) -> dict[str, NDArray[Any]]:
        """Run a model in a thread. Cancelling the task stops it before the next file.

        Raises:
            RequestError: The files or arrays cannot be used.
            ServerBusyError: The clips do not fit into the memory that is left.
            ServerError: The model failed.
        """
        cancelled = threading.Event()
        try:
            return await asyncio.to_thread(
                self._pipeline.infer, model, inputs, outputs, parameters, cancelled=cancelled.is_set
            )
        except asyncio.CancelledError:
            cancelled.set()
            raise
        except Exception as error:
            raise _translated(model, error) from error

    async def is_ready(self, _model: str) -> bool:
        """Tell that a model is loaded: all are."""
        return True

    async def load(self, _model: str) -> None:
        """Do nothing: every model is loaded."""

    async def close(self) -> None:
        """Leave the pipeline open: other clients may use it."""


def _translated(model: str, error: Exception) -> PanEchoError:
    """Return the client's error for what went wrong, as a server's answer would give it."""
    if isinstance(error, KeyError) and error.args == (model,):
        return IncompatibleServerError(f"there is no model `{model}` in this process.", code="NOT_FOUND")
    if isinstance(error, InvalidRequestError | InvalidClipsError):
        return RequestError(str(error))
    if isinstance(error, ShortOfMemoryError):
        return ServerBusyError(str(error))
    text = str(error).splitlines()[0] if str(error) else "no details"
    return ServerError(f"the model failed in this process: {type(error).__name__}: {text}.")
