import io
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from panecho_client import StudyResult
from panecho_client._commands.console import make_messages
from panecho_client.outputs.prediction_text import format_percent
from panecho_client.outputs.terminal import make_console, render_report
from support.reported_studies import reported


def render(study: StudyResult, *, width: int = 100, per_video: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(render_report(study, per_video=per_video))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("value", "text"), [(0.58, "58 %"), (0.001, "<1 %"), (0.999, ">99 %"), (1.0, "100 %"), (math.nan, "not a number")]
)
def test_a_probability_that_is_not_certain_never_reads_as_if_it_were(value: float, text: str) -> None:
    assert format_percent(value) == text


def test_measurements_and_probabilities_share_no_column(study: StudyResult) -> None:
    measurements, _, findings = render(study).partition("\nFindings")
    assert "Expected error" in measurements
    assert "Probability" in findings
    assert "EF" not in findings.partition("Files:")[0].split()
    assert "AVStenosis" not in measurements.partition("\nMeasurements")[2]


def test_values_that_are_not_numbers_are_said(study: StudyResult) -> None:
    broken = replace(study["EF"], value=math.nan)
    text = render(replace(study, predictions={"EF": broken}))
    assert "not a number" in text
    assert "check: LV ejection fraction: the model gave no number." in text


def test_what_is_abnormal_stands_before_the_tables() -> None:
    shown, identity = reported("severe")
    console = Console(file=io.StringIO(), width=100, highlight=False)
    console.print(render_report(shown, identity=identity))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert text.index("LV ejection fraction severely reduced") < text.index("Measurements")
    assert "women 54 to 74 (severely reduced)" in " ".join(text.split())


def test_every_task_and_group_is_shown(study: StudyResult) -> None:
    lines = [line.rstrip() for line in render(study).splitlines()]
    for key, prediction in study.predictions.items():
        assert prediction.task.group in lines
        assert any(line.startswith(f"  {key} ") or f"({key})" in line for line in lines)


def test_no_name_of_a_task_is_broken_at_80_columns(study: StudyResult) -> None:
    text = render(study, width=80)
    for key in study.predictions:
        assert re.search(rf"(?<!\S)\(?{re.escape(key)}\)?(?!\S)", text), key


CONTROLS = "a\x1b[31mred\x1b]0;title\x07\x9b2J\r\u202ehidden\nnext line.dcm"


def test_control_characters_of_names_are_shown_and_not_sent(
    study: StudyResult, capsys: pytest.CaptureFixture[str]
) -> None:
    named = replace(study, videos=(replace(study.videos[1], path=Path(CONTROLS)),))
    make_console().print(render_report(named))
    make_messages().print(f"{CONTROLS} cannot be read", style="red", markup=False)
    shown = capsys.readouterr()
    for text in (shown.out, shown.err):
        assert "␛[31mred" in text
        assert not {*text} & {*"\x1b\x07\x9b\r\u202e"}
    assert "hidden␊next" in shown.out


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
