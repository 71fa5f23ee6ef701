"""Checks of a running server, asked over gRPC."""

import re
from collections.abc import Callable, Iterator

from panecho_admin.checks import Check
from panecho_admin.model_status import ModelStatus, StatusClient
from panecho_client import Connection, PanEchoError
from panecho_client.triton import MODELS

# Our errors end with what to do, after a semicolon; texts of others stand in parentheses.
OUTER_SEMICOLON = re.compile(r"; (?![^()]*\))")


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
