"""``panecho serve``: the embedded server in the foreground, until Ctrl-C."""

import signal
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from panecho_server.errors import ServingError
from panecho_server.security import THIS_MACHINE
from panecho_server.settings import ServerSettings
from panecho_server.supervision import supervise
from panecho_server.tritonserver import TritonServer

PORT_HELP = "0: any free port. Default: {}, or the next free one."


def serve(  # noqa: PLR0913 - one argument per option of the command
    *,
    model_repository: Annotated[
        Path, typer.Option(help="Repository that `panecho export` has made servable.")
    ] = ServerSettings.model_repository,
    load: Annotated[
        list[str] | None, typer.Option(help="Further model to load, such as image_encoder; may be repeated.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Serving settings for a kind of machine: cpu or gpu. Default: such as suit any.")
    ] = None,
    model_control: Annotated[
        bool,
        typer.Option("--model-control", help="Let callers on this machine load models, and so run code, over gRPC."),
    ] = False,
    shared_memory: Annotated[
        bool, typer.Option("--shared-memory", help="Let callers on this machine send tensors through its memory.")
    ] = False,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM file of this server's certificate; encrypts gRPC.", metavar="FILE")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of its private key.", metavar="FILE")] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(help="PEM file of the authority whose certificates callers must have (mTLS).", metavar="FILE"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is every network.")] = ServerSettings.host,
    grpc_port: Annotated[int | None, typer.Option(help=PORT_HELP.format(8001))] = None,
    http_port: Annotated[int | None, typer.Option(help=PORT_HELP.format(8000))] = None,
    metrics_port: Annotated[int | None, typer.Option(help=PORT_HELP.format(8002))] = None,
    log_file: Annotated[Path, typer.Option(help="Log of the server and its models.")] = ServerSettings.log_file,
) -> None:
    """Serve a model repository with an embedded Triton Inference Server until Ctrl-C."""
    settings = ServerSettings(
        model_repository=model_repository,
        load=tuple(load or ()),
        profile=profile,
        model_control=model_control,
        shared_memory=shared_memory,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        host=host,
        grpc_port=grpc_port,
        http_port=http_port,
        metrics_port=metrics_port,
        log_file=log_file,
    )
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for stop in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(stop, signal.default_int_handler)
    try:
        _serve(settings, console)
    except ServingError as error:
        console.print(f"panecho serve: {error}", style="red", markup=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.print("Stopped.")


def _serve(settings: ServerSettings, console: Console) -> None:
    server = TritonServer(settings)
    started = time.monotonic()
    console.print(f"Starting Triton on {settings.model_repository}; log: {settings.log_file}")
    try:
        with console.status("Loading models") as status:
            server.start(lambda waiting: status.update(f"Loading models; not ready yet: {', '.join(waiting)}"))
        console.print(f"Every model is ready after {time.monotonic() - started:.0f} s.")
        console.print(f"  gRPC     {server.grpc_url}{' with TLS' if settings.tls_certificate else ''}")
        console.print(f"  HTTP     http://{server.http_url}")
        console.print(f"  metrics  http://{settings.host}:{server.metrics_port}/metrics")
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
