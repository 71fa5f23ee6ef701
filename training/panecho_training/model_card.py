"""What a run's best epoch is worth: metrics with intervals of each split, and a model card."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from panecho_evaluation.bootstrap import Resampling
from panecho_evaluation.cohort import Cohort
from panecho_evaluation.estimates import Estimate, estimate_cohort
from panecho_model.tasks import Task
from panecho_training.initialisation import Origin
from panecho_training.recipe import Recipe

__all__ = ["RunFacts", "estimates_of", "model_card"]

SHOWN = ("mae", "rmse", "r2", "bias", "auroc", "average_precision", "sensitivity", "specificity", "accuracy", "kappa")
ROUNDS = 1000
DATA_LICENCE = (
    "- The data have a licence too. EchoNet's forbid to pass the data on, and derivative works of them; ask your "
    "institution before you pass these weights on."
)


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a model card says, beside the recipe.

    Attributes:
        origin: Where the weights came from.
        tasks: Trained tasks.
        table_sha256: Hash of the table of labelled videos.
        splits: Videos, studies and patients of each split.
        labels: Labels of each task in the training split.
        best_epoch: Whose weights were kept, from 1.
        versions: Of the packages that made the run.
        device: What it ran on.
        served: Why it cannot be served; empty if it can.
    """

    origin: Origin
    tasks: tuple[Task, ...]
    table_sha256: str
    splits: Mapping[str, tuple[int, int, int]]
    labels: Mapping[str, int]
    best_epoch: int
    versions: Mapping[str, str]
    device: str
    served: str


def estimates_of(cohort: Cohort, tasks: Sequence[Task], seed: int = 0) -> list[Estimate]:
    """Return every metric of a split with its 95 % interval over resamples of patients."""
    resampling = Resampling(patients=int(cohort.patients.max()) + 1, rounds=ROUNDS, seed=seed)
    return estimate_cohort(cohort, tasks, {}, resampling)


def as_json(estimates: Sequence[Estimate]) -> list[dict[str, Any]]:
    """Return estimates for a JSON file; what is not defined is null."""
    rows = [asdict(estimate) for estimate in estimates]
    return [{key: _defined(value) for key, value in row.items()} for row in rows]


def _defined(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def model_card(recipe: Recipe, facts: RunFacts, estimates: Mapping[str, Sequence[Estimate]]) -> str:
    """Return the model card of a run in Markdown.

    Args:
        recipe: Its settings.
        facts: What else is known of it.
        estimates: Metrics by split.
    """
    origin = facts.origin
    digest = f" (sha256 `{origin.sha256}`)" if origin.sha256 else ""
    lines = [
        f"# Model card: {recipe.name}",
        "",
        "Research use only; not for clinical use.",
        *(["", "**Made from stand-in weights: its predictions mean nothing clinically.**"] if origin.stand_in else []),
        "",
        "## Weights",
        "",
        f"- Fine-tuned from: {origin.name}{digest}",
        f"- Came along: {', '.join(origin.came) or 'nothing'}. Fresh: {', '.join(origin.fresh) or 'nothing'}.",
        f"- Licence of the weights: {origin.licence or 'not known'}. What is made of them is under the same licence.",
        DATA_LICENCE,
        f"- Served: {'yes, by `panecho export --checkpoint`' if not facts.served else f'no: {facts.served}'}",
        f"- Best epoch: {facts.best_epoch}. Device: {facts.device}. "
        + ", ".join(f"{name} {number}" for name, number in facts.versions.items()),
        "",
        "## Data",
        "",
        f"Table of labelled videos: sha256 `{facts.table_sha256}`",
        "",
        "| split | videos | studies | patients |",
        "|---|---|---|---|",
        *(f"| {name} | {' | '.join(map(str, counts))} |" for name, counts in facts.splits.items()),
        "",
        "## Tasks",
        "",
        "| task | kind | unit or classes | labels in train |",
        "|---|---|---|---|",
        *(_task_line(task, facts.labels[task.key]) for task in facts.tasks),
    ]
    for split, numbers in estimates.items():
        lines += ["", f"## Metrics of split {split}", "", *_metric_table(numbers)]
    settings = recipe.to_yaml().rstrip()
    lines += ["", "## Recipe", "", "```yaml", settings, "```", ""]
    return "\n".join(lines)


def _task_line(task: Task, labels: int) -> str:
    what = ", ".join(task.classes) or task.unit or "none"
    return f"| {_cell(task.key)} | {task.kind} | {_cell(what)} | {labels} |"


def _metric_table(estimates: Sequence[Estimate]) -> list[str]:
    rows = [estimate for estimate in estimates if estimate.metric in SHOWN]
    if not rows:
        return ["No task has labels there."]
    head = ["| task | class | metric | value | 95 % interval | studies | patients |", "|---|---|---|---|---|---|---|"]
    return head + [
        f"| {_cell(row.task)} | {_cell(row.class_name)} | {row.metric} | {_shown(row.value)} | "
        f"{_shown(row.low)} to {_shown(row.high)} | {row.studies} | {row.patients} |"
        for row in rows
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _shown(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"
