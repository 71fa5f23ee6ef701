"""Checks of this machine and of a server, each with what was found and what to do about it."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from rich.table import Table
from rich.text import Text

from panecho_admin.model_status import MODELS, ModelStatus, StatusClient
from panecho_client._connection import Connection
from panecho_client._exceptions import PanEchoError

Status = Literal["ok", "warning", "failed"]

# Our errors end with what to do, after a semicolon; texts of others stand in parentheses.
OUTER_SEMICOLON = re.compile(r"; (?![^()]*\))")

STYLES: dict[Status, str] = {"ok": "green", "warning": "yellow", "failed": "bold red"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        status: ``ok``; ``warning`` for what works and may surprise; ``failed`` for what does not work.
        found: What was found.
        advice: What to do about it; never empty unless ``ok``.
    """

    name: str
    status: Status
    found: str
    advice: str = ""

    def __post_init__(self) -> None:
        """Refuse a complaint without advice."""
        if self.status != "ok" and not self.advice:
            raise ValueError(f"{self.name}: say what to do.")


def server_checks(connection: Connection) -> Iterator[Check]:
    """Ask a server whether it can serve PanEcho.

    Raises:
        RequestError: The address is not one of a single server's gRPC.
    """
    with StatusClient(connection) as client:
        alive = _answered("server", lambda: [_server(client, connection.url)])
        yield from alive
        if alive[0].status == "failed":
            return
        for name in MODELS:
            yield from _answered(name, lambda name=name: [_model(client.model(name))])  # type: ignore[misc]  # the name of now
        yield from _answered("tasks and weights", lambda: _description(client))


def render_checks(checks: Iterable[Check]) -> Table:
    """Return the checks as a table for a terminal."""
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for column in ("Check", "Status", "Found"):
        table.add_column(column, overflow="fold")
    for check in checks:
        found = Text(check.found)
        if check.advice:
            found.append(f"\n→ {check.advice}", style="bold")
        table.add_row(Text(check.name), Text(check.status, style=STYLES[check.status]), found)
    return table


def _answered(name: str, ask: Callable[[], list[Check]]) -> list[Check]:
    """Return the answer, or the failed check that the lack of one is."""
    try:
        return ask()
    except PanEchoError as error:
        *found, advice = OUTER_SEMICOLON.split(str(error))
        return [Check(name=name, status="failed", found="; ".join(found), advice=advice)]


def _server(client: StatusClient, url: str) -> Check:
    server = client.server()
    found = f"Triton {server.version} at {url}; extensions: {', '.join(server.extensions)}"
    if not (server.live and server.ready):
        state = "not ready" if server.live else "not live"
        return Check(
            name="server", status="failed", found=f"{found}; {state}", advice="Wait for its models, or see its log."
        )
    return Check(name="server", status="ok", found=f"{found}; live and ready")


def _model(model: ModelStatus) -> Check:
    name = f"model {model.name}"
    if not model.ready:
        advice = "See the server's log; serve a repository that `panecho export` has written."
        return Check(name=name, status="failed", found=f"not ready: {model.reason}", advice=advice)
    return Check(name=name, status="ok", found=f"ready, version {', '.join(model.versions)}")


def _description(client: StatusClient) -> list[Check]:
    description = client.description()
    weights = description.weights
    found = weights.name + (f", sha256 {weights.sha256}" if weights.sha256 else "")
    tasks = Check(name="tasks", status="ok", found=f"{len(description.tasks)}")
    if weights.stand_in:
        advice = "For predictions that mean something: panecho export --checkpoint PATH, then serve again."
        return [
            tasks,
            Check(
                name="weights", status="warning", found=f"{found}: they only stand in for trained ones", advice=advice
            ),
        ]
    return [tasks, Check(name="weights", status="ok", found=found)]
