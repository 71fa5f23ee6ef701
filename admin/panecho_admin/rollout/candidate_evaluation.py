"""Labelled studies that a new model must predict well enough before it is served."""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeAlias

import numpy as np

from panecho_admin.model_control import ModelControl
from panecho_admin.rollout.candidate_checks import Answer, CheckError
from panecho_client import FilesError, RequestError, Task

GROUP = "panecho.candidate_evaluation"
"""Entry point of the package that evaluates: called with a table and minimums, it returns a ``Judge``."""

Judge: TypeAlias = Callable[[Sequence[Task], Callable[[Path], Answer | None]], list[str]]
"""Takes the model's tasks and what predicts a file, or None of an unusable one; returns why the model is refused."""

NEEDED = "--evaluate needs panecho-triton[evaluation]; in a checkout: pip install ./client '.[evaluation]'"


def load_judge(table: Path, minimums: Sequence[str]) -> Judge:
    """Return what judges a model on the studies of a table.

    Args:
        table: CSV file with a column ``file`` and labels; see docs/guide/evaluate.md.
        minimums: What the model must reach, such as ``EF:mae<=6``.

    Raises:
        RequestError: The package that evaluates is not installed, or the table or a minimum cannot be used.
    """
    entries = list(entry_points(group=GROUP))
    if not entries:
        raise RequestError(f"{NEEDED}.")
    try:
        judge: Judge = entries[0].load()(table, minimums)
    except ImportError as error:
        raise RequestError(f"{NEEDED} ({error}).") from None
    except ValueError as error:
        raise RequestError(str(error)) from None
    return judge


def judge_model(control: ModelControl, model: str, tasks: Sequence[Task], judge: Judge) -> None:
    """Refuse an ensemble that is not good enough.

    Raises:
        CheckError: The text says what it does not reach.
        PanEchoError: A file cannot be read, or the server does not answer.
    """
    reasons = judge(tasks, lambda path: _predict(control, model, path))
    if reasons:
        raise CheckError(f"the new model is not good enough: {'; '.join(reasons)}.")


def _predict(control: ModelControl, model: str, path: Path) -> Answer | None:
    """Return what an ensemble answers for a file; None for a file that it cannot use."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FilesError(f"{path} cannot be read: {error.strerror or error}.", paths=[path]) from None
    sizes = np.array([len(content)], np.int64)
    try:
        return control.ask(model, {"video_bytes": np.frombuffer(content, np.uint8), "video_sizes": sizes})
    except RequestError as error:
        if error.code != "INVALID_ARGUMENT":
            raise
        return None
