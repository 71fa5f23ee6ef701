"""``panecho serve``: the embedded server in the foreground, until Ctrl-C."""

import signal
import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from panecho_server.errors import ServingError
from panecho_server.settings import ServerSettings

if TYPE_CHECKING:
    from rich.console import Console


def serve(*, settings: Annotated[ServerSettings, Parameter(name="*")] = ServerSettings()) -> None:
    """Serve a model repository with an embedded Triton Inference Server until Ctrl-C.

    Exit status: 0 stopped by Ctrl-C or SIGTERM; 1 error; 2 wrong usage.
    """
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for stop in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(stop, signal.default_int_handler)
    try:
        _serve(settings, console)
    except ServingError as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        console.print("Stopped.")


def _serve(settings: ServerSettings, console: "Console") -> None:
    from panecho_server.precision import precision_warning
    from panecho_server.security import THIS_MACHINE
    from panecho_server.supervision import supervise
    from panecho_server.tritonserver import TritonServer

    server = TritonServer(settings)
    started = time.monotonic()
    if warning := precision_warning(settings.model_repository):
        console.print(warning, style="yellow", markup=False)
    console.print(f"Starting Triton on {settings.model_repository}; log: {settings.log_file}")
    try:
        with console.status("Loading models") as status:
            server.start(lambda waiting: status.update(f"Loading models; not ready yet: {', '.join(waiting)}"))
        console.print(f"Every model is ready after {time.monotonic() - started:.0f} s.")
        console.print(f"  gRPC     {server.grpc_url}{' with TLS' if settings.tls_certificate else ''}")
        console.print(f"  HTTP     http://{server.http_url}")
        console.print(f"  metrics  {server.metrics_url}")
        if settings.tls_certificate is None and settings.host not in THIS_MACHINE:
            console.print("Not encrypted: see --tls-certificate. Studies carry patients' data.", style="yellow")
        console.print(server.weights_notice(), style="yellow")
        console.print("Ctrl-C stops it.")
        supervise(server, lambda event: console.print(event, style="yellow", markup=False))
    except KeyboardInterrupt:
        with console.status("Stopping: running requests are finished first; Ctrl-C stops at once"):
            server.drain()
            server.stop()
        raise
    finally:
        server.stop()
