"""Measures how long an evaluation takes, how much memory, and how often its intervals hold the true value.

python -m benchmarks.evaluation [--studies 100000] [--rounds 1000] [--cohorts 1000]

The first table is of invented studies of all 40 tasks, from studies.csv and labels.csv to numbers.csv and report.html,
in one new process. The second simulates cohorts whose true metrics are known. Writes benchmarks/results/evaluation.json
and .md.
"""

import argparse
import csv
import json
import multiprocessing
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.progress import track
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.machine import describe_machine
from panecho_client.outputs import variables
from panecho_evaluation.arrays import Floats
from panecho_evaluation.bootstrap import Resampling
from panecho_evaluation.cohort import Cohort
from panecho_evaluation.estimates import Estimate, estimate_cohort
from panecho_evaluation.evaluation import EvaluationSettings, evaluate
from panecho_evaluation.evaluation_files import write_numbers
from panecho_evaluation.html_report import render_report
from panecho_evaluation.labels import read_labels
from panecho_evaluation.matching import match_studies
from panecho_evaluation.origin import ORIGIN
from panecho_evaluation.results import read_results
from panecho_model.tasks import TASKS, Task

RESULTS = Path(__file__).parent / "results/evaluation"
PATIENTS_A_STUDY = 0.8
MISSING = 0.1
SIMULATED = (50, 200, 1000)
TRUE_STUDIES = 2_000_000


def invented(rng: np.random.Generator, task: Task, studies: int) -> tuple[Floats, Floats]:
    """Return labels [N] and predictions [N, C] of invented studies."""
    if task.kind == "regression":
        mean = task.training_mean or 1.0
        labels = rng.normal(mean, 0.2 * mean, studies)
        return labels, (labels + rng.normal(0, 0.1 * mean, studies))[:, None]
    if task.kind == "binary":
        labels = (rng.random(studies) < 0.15).astype(np.float64)
        return labels, (1 / (1 + np.exp(1.5 - 2 * labels + rng.normal(0, 1, studies))))[:, None]
    classes = rng.choice(3, studies, p=(0.2, 0.2, 0.6))
    powers = np.exp(rng.normal(0, 1, (studies, 3)) + 1.5 * np.eye(3)[classes])
    return classes.astype(np.float64), powers / powers.sum(axis=1, keepdims=True)


def write_invented(folder: Path, studies: int) -> None:
    """Write ``studies.csv`` and ``labels.csv`` of all tasks."""
    rng = np.random.default_rng(0)
    tables = [(task, *invented(rng, task, studies)) for task in TASKS]
    names = [f"study-{number:08}" for number in range(studies)]
    patients = [f"patient-{number}" for number in rng.integers(0, int(studies * PATIENTS_A_STUDY), studies)]
    made = {(of.task, of.class_name): of.name for of in variables(TASKS) if of.role == "value"}
    columns = [
        made[task.key, name]
        for task in TASKS
        for name in (task.classes if task.kind == "multiclass" else [task.positive_class])
    ]
    values = np.concatenate([predictions for _, _, predictions in tables], axis=1)
    origin = ["PanEcho", "0", "invented", "", "false", "fp32", ""]
    with (folder / "studies.csv").open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(
            ["study", "patient", "videos", "videos_used", "videos_skipped", "skipped_statuses", *columns, *ORIGIN]
        )
        for name, patient, row in zip(names, patients, values.tolist(), strict=True):
            rows.writerow([name, patient, 4, 4, 0, "", *row, *origin])
    with (folder / "labels.csv").open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["study", *(task.key for task in TASKS)])
        texts = [_texts(task, labels, rng) for task, labels, _ in tables]
        rows.writerows(zip(names, *texts, strict=True))


def _texts(task: Task, labels: Floats, rng: np.random.Generator) -> list[str]:
    """Return labels as a table has them, a tenth of them missing."""
    missing = rng.random(len(labels)) < MISSING
    if task.kind == "multiclass":
        texts = [task.classes[int(label)] for label in labels]
    else:
        texts = [f"{label:.4g}" for label in labels]
    return ["" if gone else text for gone, text in zip(missing, texts, strict=True)]


def time_evaluation(folder: Path, rounds: int) -> dict[str, float]:
    """Evaluate in a new process, and return seconds of each step, CPU seconds and the peak of memory in GB."""
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_evaluate, args=(sender, folder, rounds))
    process.start()
    sender.close()
    try:
        measured: dict[str, float] = receiver.recv()
    finally:
        process.join()
    return measured


def _evaluate(sender: Connection, folder: Path, rounds: int) -> None:
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[step] = time.perf_counter() - start

    with timed("all"):
        with timed("read"):
            runs = {"invented": read_results(folder)}
            table = read_labels(folder / "labels.csv", runs["invented"].tasks)
            studies = match_studies(table, runs, lambda study, _: [study])
        with timed("evaluate"):
            evaluation = evaluate(runs, studies, EvaluationSettings(rounds=rounds))
        with timed("write"):
            write_numbers(folder, evaluation)
            (folder / "report.html").write_text(render_report(evaluation), encoding="utf-8")
    used = resource.getrusage(resource.RUSAGE_SELF)
    sender.send(seconds | {"cpu": used.ru_utime + used.ru_stime, "peak_gb": used.ru_maxrss / 1e6})


def time_loop(studies: int) -> float:
    """Return the seconds that scikit-learn takes for AUROC and AP of one class in one resample."""
    rng = np.random.default_rng(0)
    labels, predictions = invented(rng, TASKS[0], studies)
    drawn = rng.integers(0, studies, studies)
    start = time.perf_counter()
    roc_auc_score(labels[drawn], predictions[drawn, 0])
    average_precision_score(labels[drawn], predictions[drawn, 0])
    return time.perf_counter() - start


def coverage(cohorts: int, rounds: int) -> list[dict[str, float | str]]:
    """Return how often the interval of each metric holds its true value, by number of patients."""
    tasks = [next(task for task in TASKS if task.key == key) for key in ("pericardial-effusion", "EF", "AVStenosis")]
    rng = np.random.default_rng(1)
    truth = {(of.task, of.metric): of.value for of in _simulated(rng, tasks, TRUE_STUDIES, 0)}
    rows: list[dict[str, float | str]] = []
    for patients in SIMULATED:
        held: dict[tuple[str, str], list[bool]] = {key: [] for key in truth}
        for _ in track(range(cohorts), f"{patients} patients"):
            for of in _simulated(rng, tasks, patients, rounds):
                held[of.task, of.metric].append(bool(of.low <= truth[of.task, of.metric] <= of.high))
        rows += [
            {"patients": patients, "task": task, "metric": metric, "coverage": float(np.mean(times))}
            for (task, metric), times in held.items()
        ]
    return rows


def _simulated(rng: np.random.Generator, tasks: Sequence[Task], patients: int, rounds: int) -> list[Estimate]:
    """Return the estimates of a simulated cohort, of whole tasks and positive classes, but for their thresholds."""
    samples = {task.key: invented(rng, task, patients) for task in tasks}
    cohort = Cohort(
        name="all",
        patients=np.arange(patients),
        labels={key: labels for key, (labels, _) in samples.items()},
        runs={"simulated": {key: predictions for key, (_, predictions) in samples.items()}},
    )
    kinds = {task.key: task.kind for task in tasks}
    estimates = estimate_cohort(cohort, tasks, {}, Resampling(patients=patients, rounds=rounds, seed=patients))
    return [of for of in estimates if not of.class_name or kinds[of.task] == "binary"]


def table(rows: Sequence[Sequence[object]]) -> str:
    """Return rows, the first of which is the head, as Markdown."""
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])


def render(
    measured: Mapping[str, float], loop: float, held: Sequence[Mapping[str, float | str]], of: argparse.Namespace
) -> str:
    """Return the results as Markdown."""
    names = list(dict.fromkeys((row["task"], row["metric"]) for row in held))
    shares = {(row["patients"], row["task"], row["metric"]): float(row["coverage"]) for row in held}
    coverage_rows = [
        [task, metric, *(f"{100 * shares[patients, task, metric]:.1f}" for patients in SIMULATED)]
        for task, metric in names
    ]
    classes = sum(1 if task.kind == "binary" else len(task.classes) for task in TASKS if task.kind != "regression")
    steps = {
        "read": "read",
        "evaluate": "evaluate",
        "write": "write",
        "all": "all",
        "cpu": "CPU",
        "peak_gb": "peak, GB",
    }
    return f"""# Evaluation

`python -m benchmarks.evaluation --studies {of.studies} --rounds {of.rounds} --cohorts {of.cohorts}`
Machine: {describe_machine()}.

{of.studies:,} studies of 40 tasks, {of.rounds:,} resamples of patients; seconds.

{table([list(steps.values()), [f"{measured[name]:.1f}" for name in steps]])}

scikit-learn takes {1000 * loop:.0f} ms for AUROC and average precision of one class in one resample:
{loop * classes * of.rounds / 60:.0f} minutes for {classes} classes and {of.rounds:,} resamples.

## Coverage

Per cent of {of.cohorts:,} simulated cohorts whose 95 % interval holds the true value, by number of patients with one
study each.

{table([["task", "metric", *(f"{patients} patients" for patients in SIMULATED)], *coverage_rows])}
"""


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--cohorts", type=int, default=1000)
    of = parser.parse_args()
    with TemporaryDirectory() as name:
        write_invented(Path(name), of.studies)
        measured = time_evaluation(Path(name), of.rounds)
    loop = time_loop(of.studies)
    held = coverage(of.cohorts, of.rounds)
    text = render(measured, loop, held, of)
    print(text)  # noqa: T201 - what was asked for
    RESULTS.with_suffix(".md").write_text(text, encoding="utf-8")
    facts = {"machine": describe_machine(), "arguments": vars(of), "seconds": measured, "loop": loop, "coverage": held}
    RESULTS.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
