"""An embedded server for a load test: stand-in weights, in the precision that this machine computes best."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from panecho_export.precision import best_precision
from panecho_export.repository import export_stand_in
from panecho_export.variant import Variant
from panecho_server import ServerSettings, TritonServer

FOLDER = Path("build/load-test")


@contextmanager
def serving(repository: Path | None, console: Console) -> Iterator[TritonServer]:
    """Serve a repository on free ports; without one, make one in ``build/load-test`` or take that made before."""
    served = repository or FOLDER / "model_repository"
    if repository is None and not (served / "backbone/1/model.pt").is_file():
        with console.status("Exporting stand-in weights"):
            export_stand_in(0, served, Variant(precision=best_precision().precision))
    settings = ServerSettings(
        model_repository=served, http_port=0, grpc_port=0, metrics_port=0, log_file=FOLDER / "tritonserver.log"
    )
    with console.status("Starting Triton Inference Server"):
        server = TritonServer(settings).start()
    with server:
        console.print(f"Triton serves {served} at {server.grpc_url}; its log is {settings.log_file}")
        yield server
