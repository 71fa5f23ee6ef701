"""``panecho export``: make a model repository servable. Torch is imported only when it runs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

DEFAULT_REPOSITORY = Path("build/model_repository")


def export(
    *,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Checkpoint in PanEcho's released format, such as panecho.pt.")
    ] = None,
    stand_in: Annotated[
        int | None, typer.Option(help="Seed of stand-in weights, used instead of a checkpoint. They mean nothing.")
    ] = None,
    model_repository: Annotated[
        Path, typer.Option(help="Repository to make servable; created when missing.")
    ] = DEFAULT_REPOSITORY,
) -> None:
    """Make a model repository servable from a checkpoint, or from stand-in weights to try things out."""
    if (checkpoint is None) == (stand_in is None):
        raise typer.BadParameter("give either --checkpoint PATH or --stand-in SEED (stand-ins: try 0).")
    console = Console(stderr=True, soft_wrap=True)
    console.print("Loading PyTorch and exporting PanEcho as TorchScript …")
    from panecho_export.errors import ExportError  # noqa: PLC0415 - torch takes seconds to import
    from panecho_export.repository import export_checkpoint, export_stand_in  # noqa: PLC0415 - as above
    from panecho_export.weights import STAND_IN_NOTICE  # noqa: PLC0415 - as above

    try:
        with console.status("Exporting: load, script, compare with the eager model, write"):
            if checkpoint is not None:
                written = export_checkpoint(checkpoint, model_repository)
            else:
                written = export_stand_in(stand_in or 0, model_repository)
    except ExportError as error:
        console.print(f"panecho export: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from error
    if checkpoint is None:
        console.print(STAND_IN_NOTICE, style="yellow", highlight=False)
    console.print(f"Wrote {written}. Next: panecho serve --model-repository {model_repository}", highlight=False)
