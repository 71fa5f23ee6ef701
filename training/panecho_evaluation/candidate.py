"""Whether a model that is about to be served reaches what it must on labelled studies."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from panecho_client import find_files
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.evaluation import EvaluationSettings, evaluate
from panecho_evaluation.labels import read_labels
from panecho_evaluation.matching import match_studies
from panecho_evaluation.minimums import Minimum, unmet
from panecho_evaluation.origin import ORIGIN
from panecho_evaluation.results import Results
from panecho_evaluation.study_table import read_studies
from panecho_model.tasks import Task

__all__ = ["CandidateEvaluation", "Predict"]

RUN = "the new model"

Predict: TypeAlias = Callable[[Path], Mapping[str, NDArray[Any]] | None]
"""Returns a file's predictions of each task, [C]; None where the file cannot be used."""


class TaskDescription(Protocol):
    """A task as a server describes it: the attributes of ``panecho_model.tasks.Task``."""

    @property
    def key(self) -> str:
        """Name of the task."""


class CandidateEvaluation:
    """What a model must reach on the studies of a table.

    Args:
        table: As of ``read_studies``, with labels.
        minimums: Such as ``EF:mae<=6``.

    Raises:
        EvaluationError: A bound is not of this form, the table cannot be used, or files of it are missing.
    """

    def __init__(self, table: Path, minimums: Sequence[str]) -> None:
        self._table = table
        self._minimums = [Minimum.parse(text) for text in minimums]
        self._studies = read_studies(table)

    def __call__(self, tasks: Sequence[TaskDescription], predict: Predict) -> list[str]:
        """Return why the model is not good enough; nothing if it is.

        A study that it cannot predict is a reason, too: on the others alone a model could look better than it is.

        Args:
            tasks: Tasks of the model.
            predict: Asks the model.
        """
        try:
            return self._reasons([_as_task(task) for task in tasks], predict)
        except EvaluationError as error:
            return [str(error)]

    def _reasons(self, tasks: Sequence[Task], predict: Predict) -> list[str]:
        results = self._predict(tasks, predict)
        reasons = []
        if results.failures:
            failed = f"{len(results.failures)} of {len(self._studies)} studies of {self._table}"
            reasons.append(f"{failed} hold no file that can be used")
        if not results.studies:
            return reasons
        runs = {RUN: results}
        labels = read_labels(self._table, tasks)
        studies = match_studies(labels, runs, lambda study, files: [study] if study else files)
        return [*reasons, *unmet(evaluate(runs, studies, EvaluationSettings(rounds=0)), self._minimums)]

    def _predict(self, tasks: Sequence[Task], predict: Predict) -> Results:
        """Return the predictions of the studies, each the mean of its files' as the server computes it."""
        names: list[str] = []
        means: dict[str, list[NDArray[np.float64]]] = {task.key: [] for task in tasks}
        used: list[int] = []
        counts: Counter[str] = Counter()
        failures: dict[str, str] = {}
        for study in self._studies:
            answers = [predict(path) for path in find_files(study.paths).files]
            found = [answer for answer in answers if answer is not None]
            counts.update(files=len(answers), unused=len(answers) - len(found))
            if not found:
                failures[study.text] = "INVALID_ARGUMENT"
                continue
            names.append(study.text)
            used.append(len(found))
            for key, values in means.items():
                values.append(np.mean([answer[key] for answer in found], axis=0, dtype=np.float64))
        return Results(
            path=self._table,
            tasks=tuple(tasks),
            studies=tuple(names),
            patients=("",) * len(names),
            values={key: np.array(values) for key, values in means.items()},
            videos_used=np.array(used, np.int64),
            origin=dict.fromkeys(ORIGIN, ""),
            files=counts["files"],
            skipped={"UNUSABLE": counts["unused"]} if counts["unused"] else {},
            failures=failures,
        )


def _as_task(task: TaskDescription) -> Task:
    """Without the facts of a task that a server does not tell."""
    return Task(**{field.name: getattr(task, field.name) for field in fields(Task) if hasattr(task, field.name)})
