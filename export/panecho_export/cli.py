"""``panecho export``: make a model repository servable. Torch is imported only when it runs."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from panecho_export.errors import ExportError
from panecho_export.variant import Variant, parse_parts
from panecho_model.constants import CLIP_LENGTH, MAX_CLIP_LENGTH, Precision
from panecho_model.errors import ModelError
from panecho_model.tasks import TASKS, find_tasks

DEFAULT_REPOSITORY = Path("build/model_repository")


def export(  # noqa: PLR0913 - one argument per option of the command
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
    tasks: Annotated[
        str | None, typer.Option(help="Tasks to serve, such as 'EF,AVStenosis'. Default: all.", show_default=False)
    ] = None,
    parts: Annotated[
        str,
        typer.Option(
            help="What to serve: study (tasks of a study), backbone (no heads: embeddings of videos), "
            "image_encoder (embeddings of frames)."
        ),
    ] = "study,image_encoder",
    clip_length: Annotated[
        int, typer.Option(min=1, max=MAX_CLIP_LENGTH, help="Frames of a clip where a request does not say.")
    ] = CLIP_LENGTH,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"],
        typer.Option(help="Of the backbone; auto is bf16 where this machine computes it in hardware, else fp32."),
    ] = "auto",
    validate: Annotated[
        list[Path] | None,
        typer.Option(help="Real file to compare the exported model on, besides generated clips; may be repeated."),
    ] = None,
) -> None:
    """Make a model repository servable from a checkpoint, or from stand-in weights to try things out.

    The exported model is compared with the original one first; where they differ by too much nothing is written.
    """
    if (checkpoint is None) == (stand_in is None):
        raise typer.BadParameter("give either --checkpoint PATH or --stand-in SEED (stand-ins: try 0).")
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print("Loading PyTorch and exporting PanEcho as TorchScript …")
    try:
        variant = Variant(
            tasks=TASKS if tasks is None else find_tasks([key.strip() for key in tasks.split(",")]),
            parts=parse_parts(parts),
            clip_length=clip_length,
            precision=_chosen(precision, parts, console),
            validation_files=tuple(validate or ()),
        )
        _export(checkpoint, stand_in or 0, model_repository, variant, console)
    except (ExportError, ModelError) as error:
        console.print(f"panecho export: {error}", style="red", markup=False)
        raise typer.Exit(1) from error
    console.print(f"Next: panecho serve --model-repository {model_repository}")


def _chosen(precision: Literal["auto"] | Precision, parts: str, console: Console) -> Precision:
    if precision != "auto":
        return precision
    if parts == "image_encoder":
        return "fp32"
    from panecho_export.precision import best_precision  # noqa: PLC0415 - torch takes seconds to import

    choice = best_precision()
    console.print(f"Precision {choice.precision}: {choice.reason}. Export for another machine with --precision.")
    return choice.precision


def _export(checkpoint: Path | None, seed: int, target: Path, variant: Variant, console: Console) -> None:
    from panecho_export.repository import export_checkpoint, export_stand_in  # noqa: PLC0415 - torch takes seconds

    with console.status("Exporting: load, script, compare with the eager model, write"):
        if checkpoint is not None:
            manifest = export_checkpoint(checkpoint, target, variant)
        else:
            manifest = export_stand_in(seed, target, variant)
    if manifest.weights.stand_in:
        console.print(manifest.weights.notice, style="yellow")
    console.print(f"Wrote {target}: {', '.join(variant.models)}.")
    if manifest.parity:
        console.print(manifest.parity.summary())
