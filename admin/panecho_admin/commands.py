"""``panecho doctor`` and ``panecho models``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from panecho_admin.checks import collect_checks, render_checks
from panecho_admin.machine_checks import machine_checks
from panecho_admin.model_status import ModelStatus, StatusClient
from panecho_admin.server_checks import server_checks
from panecho_client import Connection, PanEchoError
from panecho_client._commands import options
from panecho_client.outputs.terminal import make_console
from panecho_client.triton import DEFAULT_URL, MODELS

ANSWER_SECONDS = 5.0
LOAD_SECONDS = 600.0
DEFAULT_REPOSITORY = Path("build/model_repository")
ADMIN_HEADER = "triton-grpc-protocol-admin-key"
"""In which Triton expects the key of a container's ADMIN_KEY_FILE."""


def doctor(
    *,
    url: Annotated[
        str | None,
        typer.Option(help="Also check this server: host:port of its gRPC endpoint.", show_default=False),
    ] = None,
    header: options.Header = None,
    root_certificates: options.RootCertificates = None,
    certificate: options.Certificate = None,
    private_key: options.PrivateKey = None,
) -> None:
    """Check this machine, and a server, and say what to do about what is wrong.

    Exit status: 0 nothing failed; 1 something failed, or the address is none.
    """
    with _telling("doctor"):
        checks = [*machine_checks(), *collect_checks()]
        if url is not None:
            checks += server_checks(
                options.make_connection(
                    url=url,
                    timeout=ANSWER_SECONDS,
                    header=header,
                    root_certificates=root_certificates,
                    certificate=certificate,
                    private_key=private_key,
                )
            )
    make_console().print(render_checks(checks))
    if any(check.status == "failed" for check in checks):
        raise typer.Exit(1)


def models(  # noqa: PLR0913 - one argument per option of the command
    action: Annotated[
        Literal["show", "deploy", "rollback"],
        typer.Argument(help="deploy and rollback change the models of a running server; see docs/operate/rollout.md."),
    ] = "show",
    new: Annotated[
        Path | None,
        typer.Argument(help="What `panecho export` has written, for deploy.", metavar="[NEW]", show_default=False),
    ] = None,
    *,
    url: Annotated[str, typer.Option(help="host:port of the server's gRPC endpoint.")] = DEFAULT_URL,
    model_repository: Annotated[
        Path, typer.Option(help="The repository that the server reads; deploy and rollback replace it.")
    ] = DEFAULT_REPOSITORY,
    allow_fewer_tasks: Annotated[
        bool,
        typer.Option("--allow-fewer-tasks", help="Deploy even if tasks are given up: requests for them will fail."),
    ] = False,
    admin_key_file: Annotated[
        Path | None,
        typer.Option(help="File with the key that the server asks for.", envvar="ADMIN_KEY_FILE", metavar="FILE"),
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that loading a model may take.")] = LOAD_SECONDS,
    header: options.Header = None,
    root_certificates: options.RootCertificates = None,
    certificate: options.Certificate = None,
    private_key: options.PrivateKey = None,
) -> None:
    """Show the models of a server and what they have done since it started, or change them while it runs.

    deploy: a new export goes live without a lost request, or is refused and all is as before. rollback: back to the
    one before.

    Exit status: 0 every model is ready, or the change is done; 1 not, or nothing answers; 2 wrong usage.
    """
    if (action == "deploy") != (new is not None):
        raise typer.BadParameter("goes with deploy alone: panecho models deploy NEW", param_hint="NEW")
    with _telling("models"):
        connection = options.make_connection(
            url=url,
            timeout=ANSWER_SECONDS if action == "show" else timeout,
            header=[*(header or []), *_admin_header(admin_key_file)],
            root_certificates=root_certificates,
            certificate=certificate,
            private_key=private_key,
        )
        if action == "show":
            _show(connection)
            return
        from panecho_admin.rollout.progress import change_models  # noqa: PLC0415 - it locks files as not every system can

        change_models(connection, new, model_repository, fewer_tasks=allow_fewer_tasks)


def _show(connection: Connection) -> None:
    with StatusClient(connection) as client:
        found = [client.model(name) for name in MODELS]
    make_console().print(render_models(found))
    if not all(model.ready for model in found):
        raise typer.Exit(1)


def render_models(models: list[ModelStatus]) -> Table:
    """Return the models as a table for a terminal."""
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("Model")
    table.add_column("Ready", overflow="fold")
    for column in ("Version", "Max batch", "Answered", "Failed", "Executions", "Mean wait"):
        table.add_column(column, justify="right")
    for model in models:
        table.add_row(Text(model.name), *map(Text, _cells(model)))
    return table


def _cells(model: ModelStatus) -> list[str]:
    if not model.ready:
        return [f"no: {model.reason}"]
    counts = (model.max_batch_size or "-", model.requests, model.failures, model.executions)
    return ["yes", ", ".join(model.versions), *map(str, counts), f"{model.queue_milliseconds:.1f} ms"]


@contextmanager
def _telling(command: str) -> Iterator[None]:
    """End the command with the text of an error of ours."""
    try:
        yield
    except PanEchoError as error:
        messages = Console(stderr=True, highlight=False, soft_wrap=True)
        messages.print(f"panecho {command}: {error}", style="red", markup=False)
        raise typer.Exit(1) from None


def _admin_header(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return [f"{ADMIN_HEADER}: {path.read_text(encoding='utf-8').strip()}"]
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}.", param_hint="--admin-key-file") from None
