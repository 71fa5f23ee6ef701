"""``panecho dataset`` and ``panecho train``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import CycloptsError, Parameter
from cyclopts.types import NonNegativeInt

from panecho_client.cli import make_messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from panecho_training.datasets import DatasetRows
    from panecho_training.initialisation import Initialisation
    from panecho_training.ranks import Ranks
    from panecho_training.recipe import Recipe

DatasetName = Literal["check", "split", "echonet-dynamic", "echonet-pediatric", "echonet-lvh", "mimic-iv-echo"]
FAULTY = 1


def dataset(  # noqa: PLR0913 - one argument per option
    what: DatasetName,
    path: Path,
    /,
    *,
    output: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    leave_out_missing: bool = False,
    measurement: Annotated[tuple[str, ...], Parameter(metavar="CODE=TASK")] = (),
    recipe: str | None = None,
    rows_only: bool = False,
) -> int:
    """Write a public data set as the table of labelled videos that `panecho train` reads, or check such a table.

    check: lists all faults of a table at once: missing and unreadable files, unknown classes, a patient in two splits,
    labels out of range, tasks without labels. split: adds a column split to a table of your own, by patient.

    Exit status: 0 done, or no fault; 1 error, or faults; 2 wrong usage.

    Args:
        what: check, split, or the data set: echonet-dynamic, echonet-pediatric, echonet-lvh, mimic-iv-echo.
        path: Table to check or split; or the folder that the data set was unpacked to.
        output: Write the table to this CSV file. Default: standard output.
        leave_out_missing: Leave out videos that the data set lists and that are not in the folder.
        measurement: Also use this measurement of MIMIC-IV-ECHO as a label of a task, such as tapse=TAPSE; may be
            repeated.
        recipe: Recipe that describes new tasks of the table to check.
        rows_only: Do not open the videos of the table to check.
    """
    from panecho_training.errors import TrainingError

    console = make_messages()
    try:
        if what == "check":
            return _check(path, recipe, console, open_videos=not rows_only)
        if what == "split":
            return _split(path, output)
        return _write(_rows(what, path, measurement), output, console, leave_out_missing=leave_out_missing)
    except TrainingError as error:
        raise SystemExit(str(error)) from None


def _check(path: Path, recipe: str | None, console: "Console", *, open_videos: bool) -> int:
    from rich.progress import Progress

    from panecho_training.recipe import Recipe
    from panecho_training.table import read_table
    from panecho_training.table_check import check_files, check_rows, check_splits
    from panecho_training.task_choice import candidate_tasks

    settings = Recipe() if recipe is None else Recipe.read(recipe)
    table, faults = read_table(path, candidate_tasks(settings.tasks))
    faults += check_rows(table)
    faults += [fault for part in check_splits(table, settings.fold) for fault in part]
    if open_videos:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("Opening videos", total=len(table))
            faults += check_files(table, settings.clip_options, lambda: progress.advance(bar))
    for fault in faults:
        print(fault)  # noqa: T201 - the result
    tasks = ", ".join(task.key for task in table.tasks)
    console.print(f"{len(table)} videos, tasks {tasks}: {len(faults) or 'no'} faults.", markup=False)
    if table.others:
        console.print(f"Columns that are no task: {', '.join(table.others)}.", markup=False)
    return FAULTY if faults else 0


def _split(path: Path, output: Path | None) -> int:
    from panecho_evaluation.csv_files import write_text
    from panecho_training.own_table import with_splits

    text = with_splits(path)
    if output is None:
        print(text, end="")  # noqa: T201 - the result
    else:
        print(write_text(output, text))  # noqa: T201 - the result
    return 0


def _rows(what: DatasetName, folder: Path, measurements: tuple[str, ...]) -> "DatasetRows":
    from panecho_model.tasks import TASKS
    from panecho_training.datasets import echonet_dynamic, echonet_lvh, echonet_pediatric, mimic_iv_echo
    from panecho_training.datasets.mimic_iv_echo import CODES

    codes = dict(CODES)
    for text in measurements:
        code, found, task = text.partition("=")
        if not found or task not in {known.key for known in TASKS}:
            raise CycloptsError(
                msg=f"--measurement {text}: give CODE=TASK, such as tapse=TAPSE, with a task of PanEcho."
            )
        codes[code.lower()] = task
    readers: dict[str, Callable[[], DatasetRows]] = {
        "echonet-dynamic": lambda: echonet_dynamic(folder),
        "echonet-pediatric": lambda: echonet_pediatric(folder),
        "echonet-lvh": lambda: echonet_lvh(folder),
        "mimic-iv-echo": lambda: mimic_iv_echo(folder, codes),
    }
    return readers[what]()


def _write(rows: "DatasetRows", output: Path | None, console: "Console", *, leave_out_missing: bool) -> int:
    from panecho_evaluation.csv_files import write_text

    if leave_out_missing and rows.missing:
        rows.notes.append(f"left out {len(rows.missing)} videos that are not in the folder")
        rows.missing.clear()
    text = rows.to_csv()
    for note in rows.notes:
        console.print(f"Note: {note}.", markup=False)
    if output is None:
        print(text, end="")  # noqa: T201 - the result
    else:
        print(write_text(output, text))  # noqa: T201 - the result
    console.print(f"{len(rows.rows)} videos.")
    return 0


def train(  # noqa: PLR0913 - one argument per option
    table: Path,
    /,
    *,
    init: Annotated[str, Parameter(metavar="WEIGHTS")],
    output: Annotated[Path, Parameter(metavar="RUN")],
    recipe: str = "echonet-dynamic",
    change: Annotated[tuple[str, ...], Parameter(name="--set", metavar="SETTING=VALUE")] = (),
    resume: bool = False,
    for_serving: bool = False,
    embeddings: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    workers: NonNegativeInt | None = None,
    device: str | None = None,
    tensorboard: bool = False,
) -> int:
    """Train PanEcho on a table of labelled videos, or fine-tune it, and save a checkpoint that `panecho export` serves.

    The same command runs on a CPU, on one GPU, and on many:
    torchrun --standalone --nproc-per-node 8 --no-python panecho train …

    Ctrl-C and SIGTERM save the run; the same command with --resume goes on exactly where it stopped.

    Exit status: 0 done, or stopped and saved; 1 error; 2 wrong usage.

    Args:
        table: Table of labelled videos, see docs/guide/fine-tune.md.
        init: Weights to begin with: panecho.pt or RUN/best, random, imagenet=FILE, echo-clip=FILE, kinetics=FILE, or
            stand-in=SEED to try things out.
        output: Folder of the run; an existing run is never deleted.
        recipe: Recipe: a YAML file, or one of panecho-40, echonet-dynamic, echonet-pediatric, echonet-lvh, own-videos,
            linear-probe.
        change: Setting of the recipe to replace, such as epochs=10; may be repeated.
        resume: Go on with the run in the folder.
        for_serving: Refuse at once what could not be served afterwards.
        embeddings: Embeddings that `panecho embed` wrote of the table's videos, for a frozen backbone.
        workers: Processes that read videos, of each training process. Default: one per core that is left.
        device: cpu or cuda. Default: a GPU if there is one.
        tensorboard: Also write events for TensorBoard, which has to be installed.
    """
    from panecho_model.errors import ModelError
    from panecho_training.errors import TrainingError

    changes = dict(_change(text) for text in change)
    try:
        from panecho_training.initialisation import Initialisation, why_not_served
        from panecho_training.ranks import joined_ranks
        from panecho_training.recipe import Recipe

        settings, start = Recipe.read(recipe, changes), Initialisation.parse(init)
        if for_serving and (why := why_not_served(settings, start.kind)):
            raise SystemExit(f"this run could not be served: {why}. Change that, or leave --for-serving out.")
        if embeddings is not None and settings.freeze != "backbone":
            raise CycloptsError(msg="--embeddings goes with a frozen backbone: --recipe linear-probe.")
        with joined_ranks(device) as ranks:
            run = _Run(table, start, output, ranks, resume, workers, embeddings, tensorboard)
            return run(settings)
    except (TrainingError, ModelError) as error:
        raise SystemExit(str(error)) from None


def _change(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise CycloptsError(msg=f"--set {text}: give SETTING=VALUE, such as epochs=10.")
    return name.replace("-", "_"), value


class _Run:
    """What a command line asks for, but the recipe: of one run, or one per fold."""

    def __init__(  # noqa: PLR0913, PLR0917 - the options
        self,
        table: Path,
        start: "Initialisation",
        output: Path,
        ranks: "Ranks",
        resume: bool,  # noqa: FBT001 - an option
        workers: int | None,
        embeddings: Path | None,
        tensorboard: bool,  # noqa: FBT001 - an option
    ) -> None:
        self._table, self._start, self._output, self._ranks = table, start, output, ranks
        self._resume, self._workers, self._embeddings, self._tensorboard = resume, workers, embeddings, tensorboard
        self._console = make_messages()

    def __call__(self, recipe: "Recipe") -> int:
        """Run, and return the exit status."""
        if recipe.folds is None or recipe.fold is not None:
            self._one(recipe, self._output)
            return 0
        from panecho_training.folds import join_folds

        folders = [self._output / f"fold-{fold}" for fold in range(recipe.folds)]
        for fold, folder in enumerate(folders):
            if (folder / "metrics.json").is_file() and self._resume:
                continue
            if not self._one(recipe.model_copy(update={"fold": fold}), folder):
                return 0
        if self._ranks.is_first:
            join_folds(self._table, recipe, folders, self._output)
            self._console.print(f"Wrote {self._output / 'metrics.json'}: the union of the test folds", markup=False)
        return 0

    def _one(self, recipe: "Recipe", output: Path) -> bool:
        from panecho_training.training_run import TrainingRun

        run = TrainingRun(
            table=self._table,
            recipe=recipe,
            start=self._start,
            output=output,
            ranks=self._ranks,
            console=self._console,
            resume=self._resume and (output / "state.pt").is_file() if recipe.folds else self._resume,
            workers=self._workers,
            embeddings=self._embeddings,
            tensorboard=self._tensorboard,
        )
        return run.run()
