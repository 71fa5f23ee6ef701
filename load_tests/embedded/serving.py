"""An embedded server for a load test or a benchmark: stand-in weights, in the precision that suits this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from panecho_export.precision import best_precision
from panecho_export.repository import export_stand_in
from panecho_export.variant import Variant
from panecho_server import ServerSettings, TritonServer

FOLDER = Path("build/load-test")


def served_repository(repository: Path | None, console: Console) -> Path:
    """Return ``repository``, or without one that in ``build/load-test``; export stand-in weights if it is empty."""
    served = repository or FOLDER / "model_repository"
    if not (served / "backbone/1/model.pt").is_file():
        with console.status("Exporting stand-in weights"):
            export_stand_in(0, served, Variant(precision=best_precision().precision))
    return served


@contextmanager
def serving(repository: Path | None, console: Console) -> Iterator[TritonServer]:
    """Serve a repository on free ports; see ``served_repository``."""
    settings = ServerSettings(
        model_repository=served_repository(repository, console),
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=FOLDER / "tritonserver.log",
    )
    with console.status("Starting Triton Inference Server"):
        server = TritonServer(settings).start()
    with server:
        console.print(f"Triton serves {settings.model_repository} at {server.grpc_url}; its log is {settings.log_file}")
        yield server
