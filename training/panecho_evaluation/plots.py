"""A picture of each task: ROC, precision-recall and reliability curves, or scatter and Bland-Altman plot."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from panecho_evaluation.arrays import Floats
from panecho_evaluation.calibration_metrics import reliability_curve
from panecho_evaluation.measurement_metrics import measurement_metrics
from panecho_evaluation.task_metrics import TaskSample

__all__ = ["task_plot"]

COLOURS = ("#1f5f99", "#c4551b", "#2e7d4f", "#7a4fa3", "#8a6d1c", "#ad2f5b")
LINES = ("-", "--", ":", "-.")
SOFT = "#5d6b7a"
MANY_POINTS = 300
"""From which number of studies on points are drawn as pixels: as shapes they would fill the page's file."""
CURVE_POINTS = 400

STYLE = {
    "font.size": 8.5,
    "axes.edgecolor": "#9aa7b4",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "grid.color": "#e6ebf0",
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "panecho",
}


def task_plot(samples: Mapping[str, TaskSample]) -> str:
    """Return the picture of a task as an SVG file's text.

    Args:
        samples: The task's sample of each run, by the run's name; at least one study each.
    """
    with rc_context(STYLE):
        task = next(iter(samples.values())).task
        if task.kind == "regression":
            figure = Figure(figsize=(6.6, 3.1))
            figure.subplots_adjust(left=0.09, right=0.98, bottom=0.15, top=0.9, wspace=0.3)
            scatter, differences = figure.subplots(1, 2)
            _draw_measurements(scatter, differences, samples, f" ({task.unit})" if task.unit else "")
        else:
            figure = Figure(figsize=(9.6, 3.1))
            figure.subplots_adjust(left=0.06, right=0.98, bottom=0.15, top=0.9, wspace=0.25)
            roc, precision, reliability = figure.subplots(1, 3)
            _draw_findings(roc, precision, reliability, samples)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, dpi=130)
    return text.getvalue()


def _draw_measurements(scatter: Axes, differences: Axes, samples: Mapping[str, TaskSample], unit: str) -> None:
    for number, (run, sample) in enumerate(samples.items()):
        labels, predictions = sample.labels, sample.predictions[:, 0]
        points: dict[str, Any] = {
            "s": 12,
            "alpha": 0.5 if len(labels) < MANY_POINTS else 0.25,
            "linewidths": 0,
            "color": COLOURS[number % len(COLOURS)],
            "rasterized": len(labels) > MANY_POINTS,
        }
        scatter.scatter(labels, predictions, label=run, **points)
        differences.scatter((labels + predictions) / 2, predictions - labels, **points)
        metrics = {name: float(value[0]) for name, value in measurement_metrics(labels, predictions).items()}
        for name, style in (("bias", "-"), ("loa_low", "--"), ("loa_high", "--")):
            differences.axhline(metrics[name], linestyle=style, linewidth=1, color=points["color"])
    both = [*scatter.get_xlim(), *scatter.get_ylim()]
    ends = min(both), max(both)
    scatter.plot(ends, ends, color=SOFT, linewidth=0.8)
    scatter.set(
        xlim=ends, ylim=ends, xlabel=f"Label{unit}", ylabel=f"Prediction{unit}", title="Agreement", box_aspect=1
    )
    differences.axhline(0, color=SOFT, linewidth=0.8)
    differences.set(
        xlabel=f"Mean of label and prediction{unit}", ylabel=f"Prediction - label{unit}", title="Bland-Altman"
    )
    if len(samples) > 1:
        scatter.legend(loc="upper left")


def _draw_findings(roc: Axes, precision: Axes, reliability: Axes, samples: Mapping[str, TaskSample]) -> None:
    for axes, x, y, title in (
        (roc, "1 - specificity", "Sensitivity", "ROC"),
        (precision, "Recall (sensitivity)", "Precision (PPV)", "Precision-recall"),
        (reliability, "Predicted probability", "Share with the finding", "Calibration"),
    ):
        axes.set(xlabel=x, ylabel=y, title=title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), box_aspect=1)
        axes.grid(visible=True)
    for axes in (roc, reliability):
        axes.plot((0, 1), (0, 1), color=SOFT, linewidth=0.8)
    for name, colour, style, labels, scores in _findings(samples):
        line: dict[str, Any] = {"color": colour, "linestyle": style, "linewidth": 1.4}
        if len(np.unique(labels)) > 1:
            false_positive_rate, sensitivity, _ = roc_curve(labels, scores)
            roc.plot(*_thinned(false_positive_rate, sensitivity), label=name, **line)
            found, recall, _ = precision_recall_curve(labels, scores, drop_intermediate=True)
            precision.plot(*_thinned(recall, found), drawstyle="steps-post", **line)
        curve = reliability_curve(labels, scores)
        reliability.plot(curve.predicted, curve.observed, marker="o", markersize=3, label=name, **line)
    if len(reliability.lines) > 2:
        axes, place = (roc, "lower right") if len(roc.lines) > 1 else (reliability, "upper left")
        axes.legend(loc=place)


def _findings(samples: Mapping[str, TaskSample]) -> Iterator[tuple[str, str, str, Floats, Floats]]:
    """Return name, colour, line style, labels and scores of each class and run."""
    for number, (run, sample) in enumerate(samples.items()):
        several = len(sample.findings) > 1
        for place, (class_name, (labels, scores)) in enumerate(sample.findings.items()):
            name = ", ".join([class_name] * several + [run] * (len(samples) > 1)) or class_name
            colour = COLOURS[(place if several else number) % len(COLOURS)]
            yield name, colour, LINES[(number if several else 0) % len(LINES)], labels, scores


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return a curve of at most some hundred points."""
    if len(x) <= CURVE_POINTS:
        return x, y
    kept = np.unique(np.linspace(0, len(x) - 1, CURVE_POINTS).astype(np.intp))
    return x[kept], y[kept]
