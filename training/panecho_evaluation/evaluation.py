"""The evaluation of one or several runs on labelled studies: every number, and what it is of."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.bootstrap import Resampling, number_patients
from panecho_evaluation.cohort import ALL, Cohort, tasks_in
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.estimates import Estimate, RunThresholds, estimate_cohort
from panecho_evaluation.label_checks import suspicious_labels
from panecho_evaluation.matching import LabelledStudies
from panecho_evaluation.public_sets import Published
from panecho_evaluation.results import Results
from panecho_evaluation.subgroups import Subgroups
from panecho_evaluation.thresholds import ThresholdRule
from panecho_evaluation.videos import VideoPredictions
from panecho_model.tasks import Task

__all__ = ["Evaluation", "EvaluationSettings", "evaluate"]

OnPhase: TypeAlias = Callable[[str, float], None]
"""Called with what is evaluated, and the share of all work that is done."""


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """What is evaluated, and how.

    Attributes:
        rounds: Number of resamples of the intervals; 0 for none.
        seed: Of the resamples, and of the choice of videos.
        thresholds: From which probability on a class is called.
        subgroups: Columns of the labels that divide the studies.
        published: Numbers to show next to those of the same task and metric.
    """

    rounds: int = 1000
    seed: int = 0
    thresholds: ThresholdRule = field(default_factory=ThresholdRule)
    subgroups: tuple[Subgroups, ...] = ()
    published: tuple[Published, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """An evaluation.

    Attributes:
        runs: The results, by the name of their run; every run is compared with the first.
        studies: Studies that have labels and that every run has predicted.
        tasks: Tasks that have labels and predictions, in the model's order.
        cohort: All labels and predictions.
        patients_known: Studies whose patient is known; each other study counts as one patient.
        thresholds: By run and task.
        settings: How it was evaluated.
        subgroups: Names of the cohorts of each column.
        videos: Names of the cohorts of single videos, and of fewer videos a study, of each run.
        estimates: Every number.
        warnings: What a reader must know before the numbers.
    """

    runs: Mapping[str, Results]
    studies: LabelledStudies
    tasks: tuple[Task, ...]
    cohort: Cohort
    patients_known: int
    thresholds: RunThresholds
    settings: EvaluationSettings
    subgroups: Mapping[str, tuple[str, ...]]
    videos: Mapping[str, tuple[str, ...]]
    estimates: tuple[Estimate, ...]
    warnings: tuple[str, ...]

    @property
    def patient_count(self) -> int:
        """Number of patients."""
        return len(np.unique(self.cohort.patients))


def evaluate(
    runs: Mapping[str, Results],
    studies: LabelledStudies,
    settings: EvaluationSettings,
    *,
    videos: Mapping[str, VideoPredictions] | None = None,
    on_phase: OnPhase = lambda _, __: None,
) -> Evaluation:
    """Evaluate runs on labelled studies.

    Args:
        runs: Results by name.
        studies: From ``match_studies``.
        settings: What is evaluated, and how.
        videos: From ``read_videos``, by run: then single videos, and studies of fewer videos, are evaluated too.
        on_phase: Called with what is evaluated next, and the share that is done.

    Raises:
        EvaluationError: No task has labels and predictions, runs mean different things by a task, or a setting names
            what is not there.
    """
    patients, patients_known = _patients(runs, studies)
    cohort = Cohort(
        name=ALL,
        patients=patients,
        labels=studies.labels,
        runs={
            run: {task: values[studies.places[run]] for task, values in results.values.items()}
            for run, results in runs.items()
        },
    )
    tasks = tasks_in(_common_tasks(runs), cohort.labels, cohort.runs)
    if not tasks:
        raise EvaluationError(f"{studies.table.path} has no label of a study and task that was predicted.")
    thresholds = settings.thresholds.thresholds(cohort, tasks)
    subgroups = _subgroups(cohort, studies, settings.subgroups)
    fewer_videos = _video_cohorts(cohort, studies, videos or {}, settings.seed)
    cohorts = [cohort, *chain(*subgroups.values()), *chain(*fewer_videos.values())]
    resampling = Resampling(patients=int(patients.max()) + 1, rounds=settings.rounds, seed=settings.seed)
    estimates: list[Estimate] = []
    for number, part in enumerate(cohorts):

        def on_progress(share: float, part: Cohort = part, number: int = number) -> None:
            on_phase(part.name, (number + share) / len(cohorts))

        estimates += estimate_cohort(part, tasks, thresholds, resampling, on_progress)
    estimates += _as_estimates(thresholds, cohort, tasks)
    return Evaluation(
        runs=runs,
        studies=studies,
        tasks=tasks,
        cohort=cohort,
        patients_known=patients_known,
        thresholds=thresholds,
        settings=settings,
        subgroups={column: tuple(of.name for of in cohorts) for column, cohorts in subgroups.items()},
        videos={run: tuple(of.name for of in cohorts) for run, cohorts in fewer_videos.items()},
        estimates=tuple(estimates),
        warnings=tuple(_warnings(runs, cohort, tasks)),
    )


def _as_estimates(thresholds: RunThresholds, cohort: Cohort, tasks: Sequence[Task]) -> Iterator[Estimate]:
    """Return the thresholds among the other numbers."""
    for task in tasks:
        for run, sample in cohort.samples(task).items():
            for class_name, threshold in thresholds[run, task.key].items():
                yield Estimate(
                    run=run,
                    cohort=cohort.name,
                    task=task.key,
                    class_name=class_name,
                    metric="threshold",
                    value=threshold,
                    low=math.nan,
                    high=math.nan,
                    studies=len(sample.labels),
                    patients=sample.patient_count,
                )


def _patients(runs: Mapping[str, Results], studies: LabelledStudies) -> tuple[NDArray[np.intp], int]:
    """Return the number of each study's patient, and the number of studies whose patient is known.

    The labels say who it is, else the results; a study of an unknown patient counts as one patient.
    """
    run, results = next(iter(runs.items()))
    predicted = [results.patients[place] for place in studies.places[run]]
    known = [label or name for label, name in zip(studies.patients, predicted, strict=True)]
    names = [f"patient {name}" if name else f"study {number}" for number, name in enumerate(known)]
    return number_patients(names)[0], sum(map(bool, known))


def _common_tasks(runs: Mapping[str, Results]) -> list[Task]:
    """Return the tasks of all runs.

    Raises:
        EvaluationError: Two runs have different classes or units of a task.
    """
    first, *others = (
        {task.key: (task, (task.kind, task.unit, task.classes)) for task in results.tasks} for results in runs.values()
    )
    for other in others:
        for key in first.keys() & other.keys():
            if first[key][1] != other[key][1]:
                raise EvaluationError(f"{key} has other classes or another unit in some runs; evaluate them apart.")
    return [task for key, (task, _) in first.items() if all(key in other for other in others)]


def _subgroups(cohort: Cohort, studies: LabelledStudies, subgroups: Sequence[Subgroups]) -> dict[str, list[Cohort]]:
    columns: dict[str, Sequence[str]] = {name.lower(): values for name, values in studies.columns.items()}
    cohorts: dict[str, list[Cohort]] = {}
    for divided in subgroups:
        if divided.column.lower() not in columns:
            raise EvaluationError(
                f"the labels have no column {divided.column} for subgroups; there are: {', '.join(studies.columns)}."
            )
        groups = divided.groups(columns[divided.column.lower()])
        cohorts[divided.column] = [cohort.take(name, rows) for name, rows in groups.items()]
    return cohorts


def _video_cohorts(
    cohort: Cohort, studies: LabelledStudies, videos: Mapping[str, VideoPredictions], seed: int
) -> dict[str, list[Cohort]]:
    cohorts: dict[str, list[Cohort]] = {}
    for run, every in videos.items():
        found = every.take(studies.places[run])
        fewer = [found.some(cohort, run, number, seed) for number in found.numbers]
        cohorts[run] = [found.each(cohort, run), *fewer]
    return cohorts


def _warnings(runs: Mapping[str, Results], cohort: Cohort, tasks: Sequence[Task]) -> Iterator[str]:
    for run in runs:
        about = f"{run}: " if len(runs) > 1 else ""
        for task in tasks:
            sample = cohort.samples(task)[run]
            for text in suspicious_labels(task, sample.labels, sample.predictions[:, 0]):
                yield about + text
