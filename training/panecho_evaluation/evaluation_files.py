"""Every number of an evaluation as CSV and JSON, and the studies that were left out."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from panecho_evaluation.agreement_metrics import confusion_matrix
from panecho_evaluation.bootstrap import CONFIDENCE
from panecho_evaluation.calibration_metrics import reliability_curve
from panecho_evaluation.csv_files import write_text
from panecho_evaluation.evaluation import Evaluation
from panecho_evaluation.metric_names import METRICS
from panecho_evaluation.results import Results
from panecho_evaluation.summary import summaries
from panecho_evaluation.task_metrics import TaskSample, most_probable
from panecho_model.tasks import Task

__all__ = ["COLUMNS", "to_dict", "write_numbers", "write_unmatched"]

NAMES = ("run", "reference", "cohort", "task", "class_name", "metric", "value", "low", "high", "studies", "patients")
COLUMNS = (*(name.removesuffix("_name") for name in NAMES), "unit")
"""Of ``numbers.csv``: the attributes of ``Estimate``, and the unit of value, low and high."""


def write_numbers(folder: Path, evaluation: Evaluation) -> list[Path]:
    """Write ``numbers.csv`` and ``numbers.json``, and return their paths.

    Raises:
        EvaluationError: A file cannot be written.
    """
    tasks = {task.key: task for task in evaluation.tasks}
    rows = (
        [*(_finite(getattr(estimate, name)) for name in NAMES), _unit(tasks[estimate.task], estimate.metric)]
        for estimate in evaluation.estimates
    )
    text = json.dumps(_finite(to_dict(evaluation)), indent=1, ensure_ascii=False, allow_nan=False)
    return [
        _write_csv(folder / "numbers.csv", COLUMNS, rows),
        write_text(folder / "numbers.json", f"{text}\n"),
    ]


def write_unmatched(folder: Path, evaluation: Evaluation) -> list[Path]:
    """Write ``unmatched.csv``: rows of the labels, and studies, that are in no pair. Without any there is no file.

    A row is named by its number, because what it calls the study may identify a patient.

    Raises:
        EvaluationError: The file cannot be written.
    """
    path = folder / "unmatched.csv"
    unmatched = evaluation.studies.unmatched
    if not unmatched:
        path.unlink(missing_ok=True)
        return []
    columns = ("run", "row", "study", "reason")
    return [_write_csv(path, columns, ([of.run, of.row, of.study, of.reason] for of in unmatched))]


def to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Return everything, ready for JSON but for NaN."""
    settings, table = evaluation.settings, evaluation.studies.table
    return {
        "panecho_triton": version("panecho-triton"),
        "warnings": list(evaluation.warnings),
        "runs": {run: _run(results) for run, results in evaluation.runs.items()},
        "labels": {
            "sha256": table.sha256,
            "rows": len(table),
            "studies": len(evaluation.cohort),
            "patients": evaluation.patient_count,
            "studies_of_known_patients": evaluation.patients_known,
        },
        "unmatched": dict(Counter(f"{of.run}: {of.reason}" for of in evaluation.studies.unmatched)),
        "settings": {
            "resamples": settings.rounds,
            "confidence": CONFIDENCE,
            "seed": settings.seed,
            "threshold_criterion": settings.thresholds.criterion,
            "threshold_target": settings.thresholds.target,
            "subgroups": [asdict(subgroups) for subgroups in settings.subgroups],
        },
        "published": [asdict(published) for published in settings.published],
        "tasks": {task.key: _task(task) for task in evaluation.tasks},
        "summary": [asdict(summary) for summary in summaries(evaluation)],
        "confusion": _of_samples(evaluation, _confusion),
        "reliability": _of_samples(evaluation, _reliability),
        "numbers": [asdict(estimate) for estimate in evaluation.estimates],
    }


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return write_text(path, text.getvalue())


def _run(results: Results) -> dict[str, Any]:
    return {
        "studies": len(results.studies),
        "failed": dict(Counter(results.failures.values())),
        "files": results.files,
        "skipped": dict(results.skipped),
        "origin": dict(results.origin),
        "settings": dict(results.settings),
    }


def _task(task: Task) -> dict[str, Any]:
    return {
        "kind": task.kind,
        "description": task.description,
        "unit": task.unit,
        "classes": list(task.classes),
        "positive_class": task.positive_class,
    }


def _of_samples(
    evaluation: Evaluation, describe: Callable[[TaskSample], dict[str, Any] | None]
) -> dict[str, dict[str, Any]]:
    """Return what is described of each run's tasks, without those of which there is nothing."""
    table: dict[str, dict[str, Any]] = {run: {} for run in evaluation.runs}
    for task in evaluation.tasks:
        for run, sample in evaluation.cohort.samples(task).items():
            if described := describe(sample):
                table[run][task.key] = described
    return table


def _confusion(sample: TaskSample) -> dict[str, Any] | None:
    if sample.task.kind != "multiclass":
        return None
    labels, called, order = most_probable(sample)
    classes = [sample.task.classes[index] for index in order]
    return {"classes": classes, "label_by_call": confusion_matrix(labels, called, len(classes)).tolist()}


def _reliability(sample: TaskSample) -> dict[str, Any]:
    curves = {name: reliability_curve(*finding) for name, finding in sample.findings.items()}
    return {
        name: {
            "predicted": curve.predicted.tolist(),
            "observed": curve.observed.tolist(),
            "studies": curve.studies.tolist(),
        }
        for name, curve in curves.items()
    }


def _unit(task: Task, metric: str) -> str:
    scale, unit = METRICS[metric].scale, task.unit or "1"
    if scale == "unit²":
        return f"({unit})^2"
    return unit if scale == "unit" else "1"


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value with None for each NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(of) for name, of in value.items()}
    return [_finite(of) for of in value] if isinstance(value, list | tuple) else value
