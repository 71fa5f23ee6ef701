"""Triton Inference Server from pip alone: starts ``tritonserver`` on a PanEcho model repository."""

from typing import TYPE_CHECKING, Any

from panecho_server.errors import PlatformError, PortError, RepositoryError, ServingError, StartError
from panecho_server.settings import ServerSettings

if TYPE_CHECKING:
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

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:  # noqa: ANN401 - what a module's attributes are
        """Load ``TritonServer`` when it is first used, so that the command line starts quickly."""
        if name != "TritonServer":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from panecho_server.tritonserver import TritonServer  # noqa: PLC0415 - see above

        return TritonServer
