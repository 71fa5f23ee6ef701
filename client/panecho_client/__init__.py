"""Client of the PanEcho ensemble on Triton Inference Server: files of an echocardiography study to 40 predictions."""

from panecho_client._async_client import AsyncPanEcho
from panecho_client._client import PanEcho
from panecho_client._clip_options import ClipOptions
from panecho_client._connection import Connection, Retry, Tls
from panecho_client._description import Manifest, Parity, Task, Weights
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
from panecho_client._results import Prediction, StudyResult, VideoResult

__all__ = [
    "AsyncPanEcho",
    "ClipOptions",
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
