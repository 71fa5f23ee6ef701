"""The studies of a table, predicted into a folder before they are evaluated."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from panecho_evaluation.study_table import read_studies

if TYPE_CHECKING:
    from panecho_client import ClipOptions
    from panecho_client.cli import Naming, ServerOptions

__all__ = ["predict_table"]

PREDICTIONS = "predictions"


def predict_table(  # noqa: PLR0913 - what, where from, where to
    table: Path,
    output: Path,
    *,
    splits: Sequence[str],
    tasks: Sequence[str],
    clip_options: "ClipOptions",
    naming: "Naming",
    server: "ServerOptions",
) -> tuple[Path, int]:
    """Predict the studies of a table that were not predicted before, and return the results and the exit status.

    Args:
        table: As of ``read_studies``.
        output: Folder of the evaluation; results go to ``predictions`` in it.
        splits: Rows of the table to predict; all without.
        tasks: Names of the tasks; all without.
        clip_options: What the model is shown of each video.
        naming: What studies are called.
        server: The server.

    Raises:
        EvaluationError: The table cannot be used, or files of it are missing.
        PanEchoError: Something ends the whole run.
    """
    from panecho_client.cli import OutputFolder, RequestOptions, predict_sources  # noqa: PLC0415 - only for a server

    studies = read_studies(table, splits)
    folder = OutputFolder(
        output / PREDICTIONS, include_identifiers=naming.include_identifiers, pseudonym_key=naming.key
    )
    status = predict_sources(
        studies,
        RequestOptions(tasks=tuple(tasks) or None).request(clip_options, naming),
        folder,
        server=server,
        resume=True,
        again="Run the same command again to continue.",
    )
    return folder.path, status
