"""Triton Inference Server from pip alone: starts ``tritonserver`` on a PanEcho model repository."""

from panecho_server.errors import PlatformError, PortError, RepositoryError, ServingError, StartError
from panecho_server.settings import ServerSettings
from panecho_server.tritonserver import TritonServer

__all__ = [
    "PlatformError",
    "PortError",
    "RepositoryError",
    "ServerSettings",
    "ServingError",
    "StartError",
    "TritonServer",
]
