"""Client of the PanEcho ensemble on Triton Inference Server: files of an echocardiography study to 40 predictions."""

from typing import TYPE_CHECKING

from panecho_client._clip_options import ClipOptions
from panecho_client._connection import Connection, Retry, Tls
from panecho_client._exceptions import (
    DeadlineExceededError,
    FilesError,
    IncompatibleServerError,
    NoUsableVideoError,
    PanEchoError,
    RequestError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
    UnknownTaskError,
)
from panecho_client._lazy_names import lazy_names

if TYPE_CHECKING:
    from panecho_client._async_client import AsyncPanEcho
    from panecho_client._client import PanEcho
    from panecho_client._description import Manifest, Parity, Task, Weights
    from panecho_client._files.found_files import FoundFiles, LeftOut, find_files
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
    "NoUsableVideoError",
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

if not TYPE_CHECKING:
    __getattr__ = lazy_names(
        __name__,
        {
            "panecho_client._async_client": ("AsyncPanEcho",),
            "panecho_client._client": ("PanEcho",),
            "panecho_client._description": ("Manifest", "Parity", "Task", "Weights"),
            "panecho_client._files.found_files": ("FoundFiles", "LeftOut", "find_files"),
            "panecho_client._results": ("Prediction", "StudyResult", "VideoResult"),
        },
    )


def __dir__() -> list[str]:
    return __all__
