"""``panecho evaluate``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import CycloptsError, Group, Parameter
from cyclopts.types import NonNegativeInt

from panecho_client import ClipOptions
from panecho_client.cli import INTERRUPTED, Clips, Names, Naming, ServerOptions, make_messages

if TYPE_CHECKING:
    from panecho_evaluation.evaluation import EvaluationSettings
    from panecho_evaluation.minimums import Minimum
    from panecho_evaluation.public_sets import PublicSet

NOT_REACHED = 4

LABELS = Group("Labels", sort_key=1)
NUMBERS = Group("Numbers", sort_key=1)


@Parameter(name="*", group=LABELS)
@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """What the studies are labelled with.

    Attributes:
        labels: CSV file with the labels: a column study (Study Instance UID or pseudonym) or file, and one per task.
        table: Such a file with a column file, whose studies are predicted first; the same command resumes.
        split: Rows to use, by their column split; may be repeated.
    """

    labels: Annotated[Path | None, Parameter(metavar="FILE")] = None
    table: Annotated[Path | None, Parameter(metavar="FILE")] = None
    split: Annotated[tuple[str, ...], Names] = ()


@Parameter(name="*", group=NUMBERS)
@dataclass(frozen=True, kw_only=True)
class NumberOptions:
    """What is computed.

    Attributes:
        tasks: Tasks to evaluate, such as EF,AVStenosis. Default: all that have labels.
        subgroup: Also evaluate each group of a column of the labels: sex, or with cuts, age:40,60; may be repeated.
        per_video: Also evaluate single videos, and studies with fewer videos.
        threshold: Probability from which on a class is called, such as AVStenosis:Severe=0.3; may be repeated.
            Default: 0.5.
        choose_threshold: Choose the other thresholds on these studies: youden, sensitivity=0.9 or specificity=0.9.
        minimum: What every run must reach, such as 'EF:mae<=6'; may be repeated. Exit status 4 if one does not.
        resamples: Resamples of patients for the intervals; 0 for none.
        seed: Seed of the resamples.
    """

    tasks: Annotated[tuple[str, ...], Names] = ()
    subgroup: Annotated[tuple[str, ...], Parameter(metavar="COLUMN")] = ()
    per_video: bool = False
    threshold: Annotated[tuple[str, ...], Parameter(metavar="TASK=NUMBER")] = ()
    choose_threshold: Annotated[str | None, Parameter(metavar="CRITERION")] = None
    minimum: Annotated[tuple[str, ...], Parameter(name="--min", metavar="TASK:METRIC<=NUMBER")] = ()
    resamples: NonNegativeInt = 1000
    seed: NonNegativeInt = 0

    def settings(self) -> "EvaluationSettings":
        """Return the settings of the evaluation.

        Raises:
            CycloptsError: A text is not of the form that its option has.
        """
        from panecho_evaluation.evaluation import EvaluationSettings
        from panecho_evaluation.subgroups import Subgroups
        from panecho_evaluation.thresholds import ThresholdRule

        with _wrong_usage():
            return EvaluationSettings(
                rounds=self.resamples,
                seed=self.seed,
                thresholds=ThresholdRule.parse(self.threshold, self.choose_threshold),
                subgroups=tuple(map(Subgroups.parse, self.subgroup)),
            )

    def minimums(self) -> "list[Minimum]":
        """Return the bounds; errors as of ``settings``."""
        from panecho_evaluation.minimums import Minimum

        with _wrong_usage():
            return [Minimum.parse(text) for text in self.minimum]


@contextmanager
def _wrong_usage() -> Iterator[None]:
    """Make wrong usage of an error about the text of an option."""
    from panecho_evaluation.errors import EvaluationError

    try:
        yield
    except EvaluationError as error:
        raise CycloptsError(msg=str(error)) from None


def evaluate(  # noqa: PLR0913 - one argument per group of options
    *results: Path,
    labels: LabelOptions = LabelOptions(),
    output: Path = Path("evaluation"),
    numbers: NumberOptions = NumberOptions(),
    clip_options: Clips = ClipOptions(),
    naming: Naming = Naming(),
    server: ServerOptions = ServerOptions(),
) -> int:
    """Say how good predictions are on labelled studies: metrics with intervals, plots, and a report.

    RESULTS are what `panecho predict --output` or `panecho merge` wrote; further ones are compared with the first. With
    --table the studies are predicted first. `panecho evaluate echonet-dynamic FOLDER` predicts and evaluates a public
    data set.

    Exit status: 0 done; 1 error; 2 wrong usage; 3 done, but some studies could not be predicted; 4 done, but a --min is
    not reached; 130 interrupted.

    Args:
        results: Results of one run, or of several to compare.
        output: Folder for the report and the numbers; files of an earlier evaluation are replaced.
    """
    from panecho_evaluation.errors import EvaluationError

    try:
        return _evaluate(
            results,
            labels=labels,
            output=output,
            numbers=numbers,
            clip_options=clip_options,
            naming=naming,
            server=server,
        )
    except EvaluationError as error:
        raise SystemExit(str(error)) from None


def _evaluate(  # noqa: PLR0913 - as ``evaluate``
    results: Sequence[Path],
    *,
    labels: LabelOptions,
    output: Path,
    numbers: NumberOptions,
    clip_options: ClipOptions,
    naming: Naming,
    server: ServerOptions,
) -> int:
    from panecho_evaluation.evaluation_run import EvaluationRun
    from panecho_evaluation.minimums import unmet
    from panecho_evaluation.table_prediction import predict_table
    from panecho_evaluation.terminal import print_evaluation

    settings, minimums = numbers.settings(), numbers.minimums()
    status = 0
    if public := _public_set(results):
        labels = replace(labels, table=public.write_table(results[1], output), split=(public.split,))
        settings, results = replace(settings, published=public.published), ()
    _require_sense(results, labels)
    if labels.table:
        folder, status = predict_table(
            labels.table,
            output,
            splits=labels.split,
            tasks=numbers.tasks,
            clip_options=clip_options,
            naming=naming,
            server=server,
        )
        if status == INTERRUPTED:
            return status
        results = [folder]
    run = EvaluationRun(
        results=results,
        labels=labels.table or labels.labels or Path(),
        output=output,
        settings=settings,
        splits=labels.split,
        tasks=numbers.tasks,
        per_video=numbers.per_video,
        pseudonym_key=naming.key,
    )
    messages = make_messages()
    evaluation, files = run.run(messages)
    print_evaluation(evaluation, files, messages)
    broken = list(unmet(evaluation, minimums))
    for text in broken:
        messages.print(f"panecho evaluate: {text}", style="red", markup=False)
    return NOT_REACHED if broken else status


def _public_set(results: Sequence[Path]) -> "PublicSet | None":
    """Return the public set that the command line names; a folder of that name is results."""
    from panecho_evaluation.public_sets import PUBLIC_SETS

    name = str(results[0]) if results else ""
    if name not in PUBLIC_SETS or Path(name).exists():
        return None
    if len(results) != 2:
        raise CycloptsError(msg=f"panecho evaluate {name} FOLDER: name the folder that it was unpacked to.")
    return PUBLIC_SETS[name]


def _require_sense(results: Sequence[Path], labels: LabelOptions) -> None:
    """Refuse options that contradict each other."""
    if bool(results) == bool(labels.table):
        raise CycloptsError(msg="Give either RESULTS with --labels FILE, or --table FILE to predict first.")
    if bool(results) != bool(labels.labels):
        raise CycloptsError(msg="RESULTS and --labels FILE go together.")
