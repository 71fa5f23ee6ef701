"""``panecho doctor`` and ``panecho models``."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from panecho_client._doctor import Check, render_checks, server_checks
from panecho_client._doctor_local import local_checks
from panecho_client._exceptions import PanEchoError
from panecho_client._report import make_console
from panecho_client._settings import DEFAULT_URL
from panecho_client._status import MODELS, ModelStatus, StatusClient

ANSWER_SECONDS = 5.0


def doctor(
    *,
    url: Annotated[
        str | None,
        typer.Option(help="Also check this server: host:port of its gRPC endpoint.", show_default=False),
    ] = None,
) -> None:
    """Check this machine, and a server, and say what to do about what is wrong.

    Exit status: 0 nothing failed; 1 something failed, or the address is none.
    """
    try:
        checks = list(_checks(url))
    except PanEchoError as error:
        _print_error("doctor", error)
        raise typer.Exit(1) from None
    make_console().print(render_checks(checks))
    if any(check.status == "failed" for check in checks):
        raise typer.Exit(1)


def models(
    *,
    url: Annotated[str, typer.Option(help="host:port of the server's gRPC endpoint.")] = DEFAULT_URL,
) -> None:
    """Show the models of a server and what they have done since it started.

    Exit status: 0 every model is ready; 1 one is not, or nothing answers.
    """
    try:
        with StatusClient(url, timeout=ANSWER_SECONDS) as client:
            found = [client.model(name) for name in MODELS]
    except PanEchoError as error:
        _print_error("models", error)
        raise typer.Exit(1) from None
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


def _checks(url: str | None) -> Iterator[Check]:
    yield from local_checks()
    if url is not None:
        yield from server_checks(url, timeout=ANSWER_SECONDS)


def _print_error(command: str, error: PanEchoError) -> None:
    messages = Console(stderr=True, highlight=False, soft_wrap=True)
    messages.print(f"panecho {command}: {error}", style="red", markup=False)
