"""An evaluation from files to files: results and labels are read, and numbers and a report are written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from panecho_evaluation.csv_files import write_text
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.evaluation import Evaluation, EvaluationSettings, evaluate
from panecho_evaluation.evaluation_files import write_numbers, write_unmatched
from panecho_evaluation.labels import read_labels
from panecho_evaluation.matching import LabelledStudies, match_studies
from panecho_evaluation.results import Results, read_results, read_videos
from panecho_evaluation.study_names import require_key, study_aliases
from panecho_evaluation.videos import VideoPredictions

__all__ = ["EvaluationRun"]

REPORT = "report.html"

OnProgress: TypeAlias = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class EvaluationRun:
    """What is evaluated, and where the numbers go.

    Attributes:
        results: Results of one run, or of several to compare with the first.
        labels: Table of labels.
        output: Folder to write to.
        settings: What is computed.
        splits: Rows of the labels to use, by their column ``split``; all without.
        tasks: Names of the tasks; all without.
        per_video: Whether to evaluate videos, too.
        pseudonym_key: Key of the results' pseudonyms.
    """

    results: Sequence[Path]
    labels: Path
    output: Path
    settings: EvaluationSettings = field(default_factory=EvaluationSettings)
    splits: Sequence[str] = ()
    tasks: Sequence[str] = ()
    per_video: bool = False
    pseudonym_key: bytes = field(default=b"", repr=False)

    def run(self, messages: Console) -> tuple[Evaluation, list[Path]]:
        """Evaluate, and return the evaluation and the files that were written, the report first.

        Args:
            messages: Where progress is shown.

        Raises:
            EvaluationError: Something cannot be read, does not fit together or cannot be written.
            PanEchoError: A file that the labels name cannot be read.
        """
        with _progress(messages) as stage:
            runs = self._read_runs(stage)
            require_key(runs, self.pseudonym_key)
            studies = self._read_labels(runs, stage)
            videos = self._read_videos(runs, stage) if self.per_video else {}
            on_evaluate = stage("Evaluating")
            evaluation = evaluate(
                runs, studies, self.settings, videos=videos, on_phase=lambda _, share: on_evaluate(share)
            )
            return evaluation, self._write(evaluation, stage)

    def _read_runs(self, stage: Callable[[str], OnProgress]) -> dict[str, Results]:
        names = run_names(self.results)
        read = {
            name: read_results(path, stage(f"Reading {name}")) for name, path in zip(names, self.results, strict=True)
        }
        return {name: _only(results, self.tasks) for name, results in read.items()}

    def _read_labels(self, runs: Mapping[str, Results], stage: Callable[[str], OnProgress]) -> LabelledStudies:
        tasks = list({task.key: task for results in runs.values() for task in results.tasks}.values())
        table = read_labels(self.labels, tasks, splits=self.splits, on_progress=stage("Reading labels"))
        return match_studies(table, runs, study_aliases(self.labels.parent, self.pseudonym_key))

    def _read_videos(
        self, runs: Mapping[str, Results], stage: Callable[[str], OnProgress]
    ) -> dict[str, VideoPredictions]:
        return {name: read_videos(results, stage(f"Reading videos of {name}")) for name, results in runs.items()}

    def _write(self, evaluation: Evaluation, stage: Callable[[str], OnProgress]) -> list[Path]:
        from panecho_evaluation.html_report import render_report  # noqa: PLC0415 - Matplotlib takes a second to import

        report = write_text(self.output / REPORT, render_report(evaluation, stage("Drawing the report")))
        return [report, *write_numbers(self.output, evaluation), *write_unmatched(self.output, evaluation)]


def run_names(paths: Sequence[Path]) -> list[str]:
    """Return what runs are called: the last part of their path, or all of it where that is the same.

    Raises:
        EvaluationError: A path is there twice.
    """
    whole = [path.resolve() for path in paths]
    twice = [str(path) for path in paths if whole.count(path.resolve()) > 1]
    if twice:
        raise EvaluationError(f"{twice[0]} is there twice; compare different results.")
    short = [path.name for path in whole]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _only(results: Results, keys: Sequence[str]) -> Results:
    """Return the results of some tasks.

    Raises:
        EvaluationError: A task was not predicted.
    """
    tasks = {task.key: task for task in results.tasks}
    for key in keys:
        if key not in tasks:
            raise EvaluationError(f"{results.path} holds no predictions of {key}; there are: {', '.join(tasks)}.")
    return replace(results, tasks=tuple(task for task in results.tasks if not keys or task.key in keys))


@contextmanager
def _progress(messages: Console) -> Iterator[Callable[[str], OnProgress]]:
    """Show a bar for each stage, on a terminal; elsewhere, say once what is done next."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=messages, disable=not messages.is_terminal) as progress:

        def stage(name: str) -> OnProgress:
            if not messages.is_terminal:
                messages.print(f"{name} …", markup=False)
            task = progress.add_task(name, total=1.0)
            return lambda share: progress.update(task, completed=share)

        yield stage
