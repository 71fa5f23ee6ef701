"""How the embedded server is started."""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_HTTP_PORT = 8000
DEFAULT_GRPC_PORT = 8001
DEFAULT_METRICS_PORT = 8002

MODELS = ("preprocessing", "backbone", "postprocessing", "panecho")
"""Each is waited for: a server can be ready while the process of a Python model is dead."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the server finds its models and where it listens.

    Attributes:
        model_repository: Folder that ``panecho export`` has made servable.
        host: Address to listen on. The default is this machine alone: studies carry patients' data.
        http_port: 0 picks a free one; None is 8000, or the next free one.
        grpc_port: As above, from 8001.
        metrics_port: As above, from 8002.
        log_file: Where the log of ``tritonserver`` and of the models goes; replaced at each start.
        ready_timeout: Seconds until every model must be ready.
        exit_timeout: Seconds that running requests are given when the server is stopped.
    """

    model_repository: Path = Path("build/model_repository")
    host: str = "127.0.0.1"
    http_port: int | None = None
    grpc_port: int | None = None
    metrics_port: int | None = None
    log_file: Path = Path("build/tritonserver.log")
    ready_timeout: float = 300
    exit_timeout: int = 30
