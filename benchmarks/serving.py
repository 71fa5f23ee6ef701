"""A server for a benchmark, with stand-in weights in the precision that this machine computes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from panecho_export.precision import best_precision
from panecho_export.repository import export_stand_in
from panecho_export.variant import Variant
from panecho_server import ServerSettings, TritonServer


@contextmanager
def serving(repository: Path | None) -> Iterator[TritonServer]:
    """Serve a repository; one is made where there is none."""
    with TemporaryDirectory() as folder:
        served = repository or Path(folder) / "repository"
        if not served.exists():
            export_stand_in(0, served, Variant(precision=best_precision().precision))
        settings = ServerSettings(
            model_repository=served, http_port=0, grpc_port=0, metrics_port=0, log_file=Path(folder) / "log"
        )
        with TritonServer(settings) as server:
            yield server
