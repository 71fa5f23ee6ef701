"""``panecho doctor`` and ``panecho models``."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import CycloptsError, Parameter
from cyclopts.types import PositiveFloat

from panecho_client import Connection
from panecho_client.cli import Access

if TYPE_CHECKING:
    from rich.table import Table

    from panecho_admin.model_status import ModelStatus

ANSWER_SECONDS = 5.0
LOAD_SECONDS = 600.0
DEFAULT_REPOSITORY = Path("build/model_repository")
ADMIN_HEADER = "triton-grpc-protocol-admin-key"
"""In which Triton expects the key of a container's ADMIN_KEY_FILE."""


def doctor(*, url: str | None = None, access: Access = Access()) -> int:
    """Check this machine, and a server if one is named, and say how to mend what is wrong.

    Exit status: 0 nothing failed; 1 something failed, or the address is not valid; 2 wrong usage.

    Args:
        url: Also check this server: host:port of its gRPC endpoint.
    """
    from panecho_admin.checks import collect_checks, render_checks
    from panecho_admin.machine_checks import machine_checks
    from panecho_admin.server_checks import server_checks
    from panecho_client.cli import make_console

    checks = [*machine_checks(), *collect_checks()]
    if url is not None:
        checks += server_checks(access.connection(url, ANSWER_SECONDS))
    make_console().print(render_checks(checks))
    return int(any(check.status == "failed" for check in checks))


def models(  # noqa: PLR0913 - one argument per option
    action: Literal["show", "deploy", "rollback"] = "show",
    new: Path | None = None,
    /,
    *,
    url: str = Connection.url,
    model_repository: Path = DEFAULT_REPOSITORY,
    allow_fewer_tasks: bool = False,
    evaluate: Annotated[Path | None, Parameter(metavar="TABLE")] = None,
    minimum: Annotated[tuple[str, ...], Parameter(name="--min", metavar="TASK:METRIC<=NUMBER")] = (),
    admin_key_file: Annotated[Path | None, Parameter(env_var="ADMIN_KEY_FILE")] = None,
    timeout: PositiveFloat = LOAD_SECONDS,
    access: Access = Access(),
) -> int:
    """Show the models of a server and what they have done since it started, or change them while it runs.

    deploy: a new export goes live without a lost request; if it is refused, nothing has changed. rollback: return to
    the models that were served before.

    Exit status: 0 every model is ready, or the change is done; 1 not, or nothing answers; 2 wrong usage.

    Args:
        action: What to do: show, deploy or rollback; see docs/operate/rollout.md.
        new: Repository that `panecho export` wrote, for deploy.
        url: host:port of the server's gRPC endpoint.
        model_repository: Repository that the server reads; deploy and rollback replace it.
        allow_fewer_tasks: Deploy even if the new models lack tasks: requests for those will fail.
        evaluate: Table of labelled studies, see docs/guide/evaluate.md: the new models are refused unless they reach
            every --min on them.
        minimum: What the new models must reach, such as 'EF:mae<=6'; may be repeated.
        admin_key_file: File with the key that the server asks for.
        timeout: Seconds that loading a model may take.
    """
    if (action == "deploy") != (new is not None):
        raise CycloptsError(msg="NEW goes with deploy, and only with it: panecho models deploy NEW.")
    if bool(evaluate) != bool(minimum) or (evaluate and action != "deploy"):
        raise CycloptsError(msg="--evaluate TABLE and --min go together, and with deploy alone.")
    key = _admin_header(admin_key_file)
    connection = replace(access, header=(*access.header, *key)).connection(
        url, ANSWER_SECONDS if action == "show" else timeout
    )
    if action == "show":
        return _show(connection)
    from panecho_admin.rollout.candidate_evaluation import load_judge
    from panecho_admin.rollout.progress import change_models

    judge = load_judge(evaluate, minimum) if evaluate else None
    change_models(connection, new, model_repository, fewer_tasks=allow_fewer_tasks, judge=judge)
    return 0


def _show(connection: Connection) -> int:
    from panecho_admin.model_status import StatusClient
    from panecho_client.cli import make_console
    from panecho_client.triton import MODELS

    with StatusClient(connection) as client:
        found = [client.model(name) for name in MODELS]
    make_console().print(render_models(found))
    return int(not all(model.ready for model in found))


def render_models(models: list["ModelStatus"]) -> "Table":
    """Return the models as a table for a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("Model")
    table.add_column("Ready", overflow="fold")
    for column in ("Version", "Max batch", "Answered", "Failed", "Executions", "Mean wait"):
        table.add_column(column, justify="right")
    for model in models:
        table.add_row(Text(model.name), *map(Text, _cells(model)))
    return table


def _cells(model: "ModelStatus") -> list[str]:
    if not model.ready:
        return [f"no: {model.reason}"]
    counts = (model.max_batch_size or "-", model.requests, model.failures, model.executions)
    return ["yes", ", ".join(model.versions), *map(str, counts), f"{model.queue_milliseconds:.1f} ms"]


def _admin_header(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    try:
        return (f"{ADMIN_HEADER}: {path.read_text(encoding='utf-8').strip()}",)
    except (OSError, UnicodeDecodeError) as error:
        raise CycloptsError(msg=f"--admin-key-file: {path} cannot be read: {error}.") from None
