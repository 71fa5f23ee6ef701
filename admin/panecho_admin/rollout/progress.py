"""``panecho models deploy`` and ``panecho models rollback``."""

from pathlib import Path

from panecho_admin.checks import export_warnings
from panecho_admin.model_control import ModelControl
from panecho_admin.rollout.candidate_evaluation import Judge
from panecho_admin.rollout.rollout import deploy, roll_back
from panecho_client import Connection
from panecho_client.cli import make_messages


def change_models(
    connection: Connection, new: Path | None, served: Path, *, fewer_tasks: bool, judge: Judge | None = None
) -> None:
    """Deploy ``new``, or roll back without it, and say each step and what is served in the end.

    Raises:
        PanEchoError: Nothing was changed, unless the text says otherwise.
    """
    messages = make_messages()

    def say(step: str) -> None:
        messages.print(f"{step} …", markup=False)

    for warning in export_warnings(new) if new else ():
        messages.print(warning, style="yellow", markup=False)
    with ModelControl(connection) as control, messages.status("Changing the models; requests go on"):
        if new is None:
            change = roll_back(control, served, on_step=say)
        else:
            change = deploy(control, new, served, fewer_tasks=fewer_tasks, on_step=say, judge=judge)
    if not change.done:
        messages.print(f"{control.url} serves {change.now} already.", markup=False)
        return
    messages.print(f"{control.url} serves {change.now} now, instead of {change.before}.", markup=False)
    messages.print(f"`panecho models rollback --model-repository {served}` goes back.", markup=False)
