"""``panecho export``: make a model repository servable."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import CycloptsError, Parameter, Token, convert, validators

from panecho_model.constants import MAX_CLIP_LENGTH, Precision

if TYPE_CHECKING:
    from rich.console import Console

    from panecho_export.variant import Variant
    from panecho_model.checkpoint_record import CheckpointRecord
    from panecho_model.tasks import Task

Part = Literal["study", "backbone", "image_encoder"]
DEFAULT_REPOSITORY = Path("build/model_repository")


def split_names(type_: Any, tokens: Sequence[Token]) -> Any:  # noqa: ANN401 - any type that cyclopts converts to
    """Return the names of texts such as ``EF,AVStenosis``."""
    names = [name.strip() for token in tokens for name in token.value.split(",")]
    return convert(type_, [tokens[0].evolve(value=name) for name in names])


Names = Parameter(converter=split_names, n_tokens=1, metavar="NAME,…")


def export(  # noqa: PLR0913 - one argument per option
    *,
    checkpoint: Path | None = None,
    released: bool = False,
    stand_in: int | None = None,
    model_repository: Path = DEFAULT_REPOSITORY,
    tasks: Annotated[tuple[str, ...] | None, Names] = None,
    parts: Annotated[tuple[Part, ...], Names] = ("study", "image_encoder"),
    clip_length: Annotated[int | None, Parameter(validator=validators.Number(gte=1, lte=MAX_CLIP_LENGTH))] = None,
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    validate: tuple[Path, ...] = (),
    accept_licence: bool = False,
    released_url: str | None = None,
    sha256: str | None = None,
) -> None:
    """Make a model repository servable from a checkpoint, or from stand-in weights to try things out.

    The exported model is first compared with the original one; if they differ too much, nothing is written.

    Exit status: 0 done; 1 error; 2 wrong usage.

    Args:
        checkpoint: Checkpoint in PanEcho's released format, such as panecho.pt, or of a run of `panecho train`, such as
            RUN/best, which carries its tasks.
        released: Use the released weights, fetched once into the cache (CC BY-NC-SA 4.0).
        stand_in: Seed of stand-in weights, instead of a checkpoint. Their predictions mean nothing.
        model_repository: Repository to make servable; created if it does not exist.
        tasks: Tasks to serve, such as EF,AVStenosis. Default: all.
        parts: What to serve: study (tasks of a study), backbone (no heads: embeddings of videos), image_encoder
            (embeddings of frames).
        clip_length: Frames of a clip if a request does not say. Default: those that the checkpoint was trained with.
        precision: Precision of the backbone; auto is bf16 if this machine computes it in hardware, else fp32.
        validate: Real file to compare the exported model on, in addition to generated clips; may be repeated.
        accept_licence: Accept the licence of the released weights, the first time; or set PANECHO_ACCEPT_LICENCE=1.
        released_url: Fetch the released weights from this mirror.
        sha256: SHA-256 that the fetched file must have.
    """
    if [checkpoint is not None, released, stand_in is not None].count(True) != 1:
        raise CycloptsError(
            msg="Give one of: --checkpoint PATH, --released, --stand-in SEED (to try things out: --stand-in 0)."
        )
    if not released and (accept_licence or released_url or sha256):
        raise CycloptsError(msg="--accept-licence, --released-url and --sha256 need --released.")
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print("Loading PyTorch and exporting PanEcho as TorchScript …")
    from panecho_export.errors import ExportError
    from panecho_export.variant import Variant
    from panecho_model.errors import ModelError
    from panecho_model.tasks import find_tasks

    try:
        if released:
            checkpoint = _fetched(released_url, sha256, console, accept_licence=accept_licence)
        record = _record(checkpoint)
        variant = Variant(
            tasks=_all_tasks(record, parts) if tasks is None else find_tasks(tasks, record.tasks),
            parts=parts,
            clip_length=clip_length or record.clip_length,
            precision=_chosen(precision, parts, console),
            validation_files=validate,
        )
        _export(checkpoint, stand_in or 0, model_repository, variant, console)
    except (ExportError, ModelError) as error:
        raise SystemExit(str(error)) from error
    _tell_clip_options(record, console)
    console.print(f"Next: panecho serve --model-repository {model_repository}")


def _record(checkpoint: Path | None) -> "CheckpointRecord":
    from panecho_model.checkpoint_files import read_checkpoint
    from panecho_model.checkpoint_record import CheckpointRecord

    return CheckpointRecord() if checkpoint is None else read_checkpoint(checkpoint)[1]


def _all_tasks(record: "CheckpointRecord", parts: tuple[Part, ...]) -> "tuple[Task, ...]":
    from panecho_model.tasks import TASKS

    return record.tasks if "study" in parts else TASKS


def _tell_clip_options(record: "CheckpointRecord", console: "Console") -> None:
    """Say which options the model was trained with that a request has to name."""
    if record.clip_options:
        options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in record.clip_options.items())
        console.print(f"The model was trained with other clips than the default: predict with {options}.")


def _fetched(url: str | None, sha256: str | None, console: "Console", *, accept_licence: bool) -> Path:
    """Return the path of the released weights; show the progress of their download."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from panecho_model.released_file import LICENCE, fetch_released

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("Fetching", total=None)
        path = fetch_released(
            url=url,
            sha256=sha256,
            accept_licence=accept_licence,
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    console.print(f"Released weights: {path}. Their licence is {LICENCE}.", markup=False)
    return path


def _chosen(precision: Literal["auto"] | Precision, parts: tuple[Part, ...], console: "Console") -> Precision:
    if precision == "fp32":
        return precision
    if parts == ("image_encoder",) and precision == "auto":
        return "fp32"
    from panecho_export.precision import best_precision, is_in_hardware

    if precision != "auto":
        if not is_in_hardware(precision):
            console.print(
                f"This machine does not compute {precision} in hardware: here, serving this export would take about 15 "
                "times as long. Serve it on a machine that does, or export with --precision fp32.",
                style="yellow",
            )
        return precision
    choice = best_precision()
    console.print(f"Precision {choice.precision}: {choice.reason}. Export for another machine with --precision.")
    return choice.precision


def _export(checkpoint: Path | None, seed: int, target: Path, variant: "Variant", console: "Console") -> None:
    from panecho_export.repository import export_checkpoint, export_stand_in

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
