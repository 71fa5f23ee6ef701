"""Client of the PanEcho ensemble on Triton Inference Server: files of an echocardiography study to 40 predictions."""

from panecho_client._async_client import AsyncPanEcho
from panecho_client._client import PanEcho
from panecho_client._exceptions import (
    DeadlineExceededError,
    FilesError,
    IncompatibleServerError,
    PanEchoError,
    RequestError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
    UnknownTaskError,
)
from panecho_client._files import FoundFiles, LeftOut, find_files
from panecho_client._metadata import Manifest, Parity, Task, Weights
from panecho_client._requests import Sampling
from panecho_client._results import Prediction, StudyResult, VideoResult
from panecho_client._settings import Connection, Retry, Tls

__all__ = [
    "AsyncPanEcho",
    "Connection",
    "DeadlineExceededError",
    "FilesError",
    "FoundFiles",
    "IncompatibleServerError",
    "LeftOut",
    "Manifest",
    "PanEcho",
    "PanEchoError",
    "Parity",
    "Prediction",
    "RequestError",
    "Retry",
    "Sampling",
    "ServerBusyError",
    "ServerError",
    "ServerUnavailableError",
    "StudyResult",
    "Task",
    "Tls",
    "UnknownTaskError",
    "VideoResult",
    "Weights",
    "find_files",
]
