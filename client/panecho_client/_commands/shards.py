"""``panecho index`` and ``panecho merge``: before and after the runs over the shards of an archive."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from panecho_client._archive.shard import write_index
from panecho_client._archive.shard_merge import find_parts, merge
from panecho_client._commands.predict_archive import SOME_FAILED
from panecho_client._commands.predict_study import tell_left_out
from panecho_client._exceptions import PanEchoError
from panecho_client._files import find_files
from panecho_client.sources.grouping import group_studies


def index(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders and archives that hold them.")],
    *,
    output: Annotated[Path, typer.Option(help="CSV file to write.", metavar="FILE", show_default=False)],
) -> None:
    """List the studies of an archive for `panecho predict --index`, so that not every run has to look for them.

    Paths are written as they are given: every run must find the archive under the same path.
    """
    messages = Console(stderr=True, highlight=False, soft_wrap=True)
    if not output.parent.is_dir():
        raise typer.BadParameter(f"the folder {output.parent} does not exist.", param_hint="--output")
    try:
        with messages.status("Looking for studies"):
            found = find_files(paths)
            studies = group_studies(found.files)
        tell_left_out(messages, found)
        written = write_index(output, studies)
        for _ in track(written, "Naming studies", len(studies), console=messages, disable=not messages.is_terminal):
            pass
    except PanEchoError as error:
        messages.print(f"panecho index: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
    messages.print(f"Studies: {len(studies)}. Files: {sum(map(len, studies))}.")
    typer.echo(output)


def merge_shards(
    folders: Annotated[
        list[Path], typer.Argument(help="The --output of every shard, or a folder that holds them.", show_default=False)
    ],
    *,
    output: Annotated[Path, typer.Option(help="Folder to write the tables to.", metavar="FOLDER", show_default=False)],
) -> None:
    """Join the tables of all shards of an archive: the same tables as of a single run.

    Nothing is written unless every shard was run to its end, with the same settings.

    Exit status: 0 done; 1 error; 3 done, but some studies could not be predicted: see failures.csv.
    """
    messages = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with messages.status("Joining tables"):
            merged = merge(find_parts(folders), output)
    except PanEchoError as error:
        messages.print(f"panecho merge: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
    messages.print(merged.summary)
    for table in merged.tables:
        typer.echo(table)
    if merged.failed:
        raise typer.Exit(SOME_FAILED)
