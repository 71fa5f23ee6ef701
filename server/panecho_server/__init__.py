"""Triton Inference Server from pip alone: starts ``tritonserver`` on a PanEcho model repository."""

from panecho_server.errors import PlatformError, PortError, RepositoryError, ServerError, StartError
from panecho_server.settings import Settings
from panecho_server.tritonserver import TritonServer

__all__ = [
    "PlatformError",
    "PortError",
    "RepositoryError",
    "ServerError",
    "Settings",
    "StartError",
    "TritonServer",
]
