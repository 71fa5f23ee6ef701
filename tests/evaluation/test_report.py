"""Files of an evaluation: every number in CSV and JSON, and a page that stands alone and renders."""

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from panecho_evaluation.evaluation import Evaluation, EvaluationSettings, evaluate
from panecho_evaluation.evaluation_files import COLUMNS, write_numbers, write_unmatched
from panecho_evaluation.html_report import render_report
from panecho_evaluation.labels import read_labels
from panecho_evaluation.matching import match_studies
from panecho_evaluation.report_tables import format_value
from panecho_evaluation.results import read_results, read_videos
from panecho_evaluation.subgroups import Subgroups
from support.invented_results import chosen, write_study

EFFUSION, EF, VELOCITY, STENOSIS = chosen("pericardial-effusion", "EF", "AVPkVel(m|s)", "AVStenosis")


def as_named(study: str, _: Sequence[str]) -> list[str]:
    return [study]


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Two runs over 30 studies; one more has no labels, and one row of labels no study."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(5)
    lines = ["study,patient,sex,EF,AVPkVel(m|s),pericardial-effusion,AVStenosis", "study-x,MRN-x,F,50,1,0,None"]
    for study in range(31):
        ef, velocity = rng.normal(55, 8), rng.normal(2, 0.5)
        effusion, grade = int(rng.random() < 0.4), int(rng.integers(0, 3))
        for run, noise in {"fp32": 1.0, "bf16": 1.3}.items():
            videos = {}
            for video in range(3):
                powers = np.exp(2 * np.eye(3)[grade] + noise * rng.normal(size=3))
                videos[f"{study}-{video}"] = {
                    EFFUSION: [1 / (1 + np.exp(1 - 2 * effusion + noise * rng.normal()))],
                    EF: [ef + 4 * noise * rng.normal()],
                    VELOCITY: [velocity + 0.2 * noise * rng.normal()],
                    STENOSIS: (powers / powers.sum()).tolist(),
                }
            write_study(folder / run, f"study-{study:02}", f"patient-{study // 2}", {**videos, f"{study}-x": None})
        if study:
            of = f"MRN-{study // 2},{'FM'[study % 2]}"
            lines.append(f"study-{study:02},{of},{ef:.1f},{velocity:.2f},{effusion},{STENOSIS.classes[grade]}")
    (folder / "labels.csv").write_text("\n".join(lines))
    runs = {run: read_results(folder / run) for run in ("fp32", "bf16")}
    studies = match_studies(read_labels(folder / "labels.csv", runs["fp32"].tasks), runs, as_named)
    settings = EvaluationSettings(rounds=40, subgroups=(Subgroups("sex"),))
    return evaluate(runs, studies, settings, videos={run: read_videos(results) for run, results in runs.items()})


def test_csv_and_json_hold_every_number(evaluation: Evaluation, tmp_path: Path) -> None:
    table, document = write_numbers(tmp_path, evaluation)
    with table.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    facts = json.loads(document.read_text(encoding="utf-8"))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(facts["numbers"]) == len(evaluation.estimates)
    for row, number, estimate in zip(rows, facts["numbers"], evaluation.estimates, strict=True):
        assert row["metric"] == number["metric"] == estimate.metric
        for name in ("value", "low", "high"):
            value = getattr(estimate, name)
            assert number[name] == (value if np.isfinite(value) else None)
            assert row[name] == (str(value) if np.isfinite(value) else "")
    units = {(row["task"], row["metric"]): row["unit"] for row in rows}
    assert units["EF", "mae"] == "%"
    assert units["AVPkVel(m|s)", "mse"] == "(m/s)^2"
    assert units["EF", "r2"] == units["AVStenosis", "auroc"] == "1"
    assert facts["runs"]["fp32"]["skipped"] == {"NOT_A_CINE": 31}
    assert facts["runs"]["fp32"]["origin"]["weights_sha256"] == "ab" * 32
    assert facts["labels"]["rows"] == 31
    assert facts["labels"]["studies"] == 30
    confusion = facts["confusion"]["bf16"]["AVStenosis"]
    assert confusion["classes"] == ["None", "Mild|Moderate", "Severe"]
    assert np.sum(confusion["label_by_call"]) == 30
    assert sum(facts["reliability"]["fp32"]["pericardial-effusion"]["mild_mod_severe"]["studies"]) == 30


def test_what_was_left_out_is_listed_without_identifiers(evaluation: Evaluation, tmp_path: Path) -> None:
    (path,) = write_unmatched(tmp_path, evaluation)
    with path.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert rows == [
        {"run": run, "row": row, "study": study, "reason": reason}
        for run in ("fp32", "bf16")
        for row, study, reason in (("2", "", "not predicted"), ("", "study-00", "no labels"))
    ]
    for name in write_numbers(tmp_path, evaluation):
        assert "MRN-" not in name.read_text(encoding="utf-8")


class Page(HTMLParser):
    """What a page loads, and its visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.text = ""
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone(evaluation: Evaluation) -> None:
    shares: list[float] = []
    text = render_report(evaluation, shares.append)
    page = Page(text)
    assert "script" not in page.tags
    assert all(address.startswith("data:image/svg+xml;base64,") for address in page.loads)
    assert page.tags.count("img") == len(evaluation.tasks) == 4
    assert shares[-1] == 1
    assert "MRN-" not in page.text
    plain = re.sub(r"\s+", " ", page.text)
    for part in ("bf16 - fp32", "By sex", "By number of videos, bf16", "Skipped, NOT_A_CINE31", "study-00", "row 2"):
        assert part in plain, part
    mae = next(of for of in evaluation.estimates if (of.task, of.metric) == ("EF", "mae"))
    assert f"{mae.value:.2f} %" in plain


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_the_page_renders_in_a_browser(evaluation: Evaluation, tmp_path: Path) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    page.write_text(render_report(evaluation), encoding="utf-8")
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1200,4000",
    ]
    finished = subprocess.run(
        [*command, f"--user-data-dir={tmp_path}/profile", f"--screenshot={picture}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert picture.is_file(), finished.stderr
    pixels = imread(picture)[..., :3]
    rows = np.flatnonzero((pixels < 0.5).any(axis=(1, 2)))
    assert rows.max() > 2500  # text down the page
    orange = np.abs(pixels - np.array([0xC4, 0x55, 0x1B]) / 255).max(axis=2) < 0.02
    assert orange.sum() > 500  # the second run's colour, which is in the plots alone


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (3.14159, "mae", "3.14 %"),
        (0.0123456, "mae", "0.0123 %"),
        (1234.5, "mse", "1234 (%)²"),
        (0.98765, "r2", "0.988"),
        (-0.0001, "r2", "0.000"),
        (0.12345, "sensitivity", "12.3 %"),
        (float("nan"), "mae", "-"),
        (float("inf"), "threshold", "∞"),
        (0.0, "bias", "0 %"),
    ],
)
def test_numbers_as_they_are_read(value: float, metric: str, text: str) -> None:
    assert format_value(value, metric, EF) == text
