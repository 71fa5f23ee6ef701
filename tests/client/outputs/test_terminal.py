import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from panecho_client import StudyResult, Task, Weights
from panecho_client._description import Description
from panecho_client._responses import build_study
from panecho_client._results import Prediction
from panecho_client.outputs.prediction_text import format_prediction
from panecho_client.outputs.terminal import render_report


def render(study: StudyResult, *, width: int = 100, per_video: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(render_report(study, per_video=per_video))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def task_named(description: Description, key: str) -> Task:
    return next(task for task in description.tasks if task.key == key)


def predict(task: Task, *values: float) -> Prediction:
    row = np.array(values, dtype=np.float32)
    outputs = {task.key: row, f"video/{task.key}": row[None], "video_status": np.array([b"ok"], dtype=np.object_)}
    weights = Weights(name="trained", sha256=None, stand_in=False, licence=None, notice=None)
    return build_study(outputs, [task], [Path("a")], weights=weights, parameters={})[task.key]


@pytest.mark.parametrize(
    ("key", "values", "rows"),
    [
        ("EF", [58.34], [("58.3 %", "Left ventricular (LV) ejection fraction")]),
        ("LVEDV", [115.51], [("116 cm³", "LV end-diastolic volume")]),
        ("IVSd", [1.0687], [("1.07 cm", "LV intraventricular septum thickness at diastole")]),
        ("E|EAvg", [10.804], [("10.8", "E/e' ratio")]),
        ("EF", [float("nan")], [("not a number", "Left ventricular (LV) ejection fraction")]),
        ("MVStenosis", [0.123], [("12 %", "Mitral valve stenosis: Mild|Moderate|Severe")]),
        ("LVOT20mmHg", [0.5], [("50 %", "Elevated LV outflow tract pressure: yes")]),
        ("RASize", [0.001], [("<1 %", "Right atrial (RA) size: Dilated")]),
        ("RASize", [0.999], [(">99 %", "Right atrial (RA) size: Dilated")]),
        ("RASize", [1.0], [("100 %", "Right atrial (RA) size: Dilated")]),
        (
            "AVStenosis",
            [0.08, 0.9, 0.02],
            [("90 %", "Aortic valve stenosis: None"), ("8 %", "  Mild|Moderate"), ("2 %", "  Severe")],
        ),
    ],
)
def test_prediction_as_text(
    description: Description, key: str, values: list[float], rows: list[tuple[str, str]]
) -> None:
    assert format_prediction(predict(task_named(description, key), *values)) == rows


def test_classes_that_are_not_numbers(description: Description) -> None:
    rows = format_prediction(predict(task_named(description, "AVStenosis"), *[float("nan")] * 3))
    assert {value for value, _ in rows} == {"not a number"}


def test_every_task_and_group_is_shown(study: StudyResult) -> None:
    lines = [line.rstrip() for line in render(study).splitlines()]
    for key, prediction in study.predictions.items():
        assert prediction.task.group in lines
        assert any(line.startswith(f"  {key} ") for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_nothing_is_cut_off(study: StudyResult, width: int) -> None:
    text = render(study, width=width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_skipped_file_is_listed_with_its_reason(study: StudyResult) -> None:
    text = render(study)
    assert "Files: 1 of 2 used" in text
    assert "study/[b] notes.txt" in text
    assert "skipped: NOT_A_VIDEO" in text


def test_stand_ins_are_announced_first(study: StudyResult) -> None:
    text = render(study)
    assert "stand-in weights: these numbers mean nothing clinically" in text
    assert text.index("stand-in weights") < text.index("EF")
    assert "Not for clinical use." in text


def test_trained_weights_are_named(study: StudyResult) -> None:
    weights = replace(study.weights, name="panecho.pt", sha256="0123456789abcdef", stand_in=False)
    text = render(replace(study, weights=weights))
    assert "stand-in" not in text
    assert "Weights: panecho.pt (sha256 0123456789ab" in text
    assert "Not for clinical use." in text


def test_per_video_adds_each_used_file(study: StudyResult) -> None:
    assert render(study).count("  EF ") == 1
    assert render(study, per_video=True).count("  EF ") == 2


def test_name_that_is_not_utf8_can_be_printed(study: StudyResult) -> None:
    video = replace(study.videos[0], path=Path("caf\udce9.dcm"))
    render(replace(study, videos=(video,))).encode()
