"""The HTML report: complete, self-contained, escaped, with warnings that cannot be missed and no identifier unasked."""

import base64
import html
import io
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from panecho_client import RequestError, StudyResult
from panecho_client._description import Description
from panecho_client._identity.headers import SopInstance
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._responses import build_study
from panecho_client.outputs.charts import chart_of_values
from panecho_client.outputs.html import render_html
from panecho_client.outputs.reference_ranges import reference_ranges
from support.reported_studies import reported

OVERLAPS = """
addEventListener("load", () => {
  const found = [], wide = document.documentElement.clientWidth;
  for (const cell of document.querySelectorAll("th, td, .summary span, .classes span, h3"))
    if (cell.getBoundingClientRect().right > wide + 1) found.push("cut: " + cell.textContent.trim().slice(0, 40));
  for (const row of document.querySelectorAll(".values tr, .summary li, .classes li")) {
    const boxes = [...row.children].filter(of => of.textContent.trim() && of.getClientRects().length)
      .map(of => {
        const range = document.createRange();
        range.selectNodeContents(of);
        return range.getBoundingClientRect();
      });
    boxes.forEach((one, index) => boxes.slice(index + 1).forEach(two => {
      if (one.left < two.right - 1 && two.left < one.right - 1 && one.top < two.bottom - 2 && two.top < one.bottom - 2)
        found.push("over: " + row.textContent.trim().replace(/\\s+/g, " ").slice(0, 60));
    }));
  }
  const ranges = [...document.querySelectorAll(".range")].filter(of => getComputedStyle(of).display == "none");
  if (ranges.length) found.push("ranges are hidden");
  parent.postMessage("found " + wide + ": " + JSON.stringify(found) + ";", "*");
});
"""
FROM_FRAME = 'addEventListener("message", said => document.body.append(said.data))'
FRAME = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
VOID = {"meta", "img", "br", "hr", "link", "input"}


@pytest.fixture
def instances(study: StudyResult) -> list[SopInstance]:
    first, second = (video.path for video in study.videos)
    return [
        SopInstance(
            path=first,
            sop_instance_uid="1.2.3.4",
            study_instance_uid="1.2.3",
            patient_id="MRN-0815",
            patient_name="SECRET^PATIENT",
            patient_birth_date="19010203",
            patient_sex="M",
            study_date="19991231",
            accession_number="ACC-4711",
        ),
        SopInstance(path=second, content="ab" * 32),
    ]


def with_frame(study: StudyResult) -> StudyResult:
    first, *others = study.videos
    return replace(study, videos=(replace(first, key_frame=FRAME), *others))


@pytest.fixture
def page(study: StudyResult, instances: list[SopInstance]) -> str:
    return render_html(study, StudyIdentity.of(instances))


class Balanced(HTMLParser):
    """Checks that every element that begins also ends, and keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def text_of(page: str) -> str:
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    return re.sub(r"\s+", " ", parser.text)


def test_every_task_is_there_with_its_value(page: str, study: StudyResult) -> None:
    text = text_of(page)
    for key, prediction in study.predictions.items():
        assert f">{html.escape(key)}<" in page
        assert prediction.task.group in text
    assert f"{study['EF'].value:.0f} %" in text
    assert f"{100 * study['AVStenosis'].probabilities['Severe']:.0f} %" in text


def test_ranges_stand_with_their_source(page: str) -> None:
    text = text_of(page)
    assert "men 52 to 72 [1]" in text
    assert "women 54" not in text
    assert "doi:10.1016/j.echo.2014.10.003" in text
    assert "Numbers not verified in the source for this version." in text
    assert "no range: The 2015 guideline gives volumes per body surface" in text


def test_each_video_shows_its_values_and_where_an_outlier_comes_from() -> None:
    study, identity = reported("severe")
    page = render_html(study, identity, key_frames=True)
    blocks = page.split('<div class="video">')[1:]
    assert len(blocks) == len(study.videos)
    assert sum("data:image/png" in block for block in blocks) == len(study.videos) - 1
    assert '<li class="outlier">LV ejection fraction' in blocks[2]
    assert "far from the study" in text_of(f"<div>{blocks[2]}".rpartition("</section>")[0] or f"<div>{blocks[2]}")
    assert "9 frames, fewer than the 16 of a clip" in blocks[1]
    assert "SPECTRAL_DOPPLER" in blocks[-1]


def test_names_and_dates_are_readable() -> None:
    text = text_of(render_html(*reported("normal", identified=True)))
    for part in ("Dr. Jane Doe", "12 Feb 1965", "13 Feb 2026", "61 years", "1.70 m² (Du Bois)"):
        assert part in text
    assert "Doe^Jane" not in text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overprints_or_is_cut_at_the_width_of(width: int, tmp_path: Path) -> None:
    """The page itself says, in a browser, what is wider than the window and which texts of a row overlap."""
    page = render_html(*reported("severe"), key_frames=True).replace("default-src 'none'", "script-src 'unsafe-inline'")
    (tmp_path / "report.html").write_text(page.replace("</body>", f"<script>{OVERLAPS}</script></body>"), "utf-8")
    frame = f'<iframe src="report.html" style="width:{width}px;height:9000px;border:0"></iframe>'
    (tmp_path / "frame.html").write_text(f"<body style='margin:0'>{frame}<script>{FROM_FRAME}</script></body>", "utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--hide-scrollbars")
    finished = subprocess.run(
        [  # noqa: S607 - on PATH
            "chromium", *options, "--dump-dom", "--virtual-time-budget=5000", f"--user-data-dir={tmp_path}/profile",
         f"--window-size={max(width, 500)},900", (tmp_path / "frame.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert f"found {width}: [];" in finished.stdout


def test_unknown_sex_shows_both_ranges(study: StudyResult, instances: list[SopInstance]) -> None:
    page = render_html(study, StudyIdentity.of([replace(instances[0], patient_sex=None), instances[1]]))
    assert "women 54 to 74 [1] men 52 to 72 [1]" in text_of(page)


def test_warnings_cannot_be_missed(page: str, study: StudyResult, instances: list[SopInstance]) -> None:
    before_any_number = text_of(page).partition("PanEcho report")[2]
    assert 'class="banner stand-in"' in page
    assert "Stand-in weights: these numbers mean nothing clinically." in text_of(page)
    assert "Not for clinical use." in before_any_number
    trained = replace(study, weights=replace(study.weights, stand_in=False, notice=None, sha256="ab" * 32))
    page = render_html(trained, StudyIdentity.of(instances))
    assert "Not for clinical use." in text_of(page)
    assert "mean nothing" not in page
    assert "ab" * 32 in page


def test_skipped_files_stand_with_their_reasons(page: str) -> None:
    assert "skipped NOT_A_VIDEO: neither DICOM nor a video; export it again" in text_of(page)


def test_page_needs_nothing_else(study: StudyResult, instances: list[SopInstance]) -> None:
    page = render_html(with_frame(study), StudyIdentity.of(instances), key_frames=True)
    assert "<script" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert re.findall(r'src="(?!data:image/png;base64,)', page) == []
    assert "default-src 'none'" in page
    assert page.count("data:image/png;base64,") == 1


def test_key_frames_are_shown_on_request_alone(study: StudyResult, instances: list[SopInstance]) -> None:
    identity = StudyIdentity.of(instances)
    assert "data:image" not in render_html(with_frame(study), identity)
    assert "data:image" not in render_html(study, identity, key_frames=True)
    page = render_html(with_frame(study), identity, key_frames=True)
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    np.testing.assert_array_equal(shown, FRAME)


def test_everything_is_escaped(
    description: Description, outputs: dict[str, NDArray[np.generic]], instances: list[SopInstance]
) -> None:
    evil = '"><script>alert(1)</script>'
    tasks = [
        replace(task, description=evil, group=evil, unit=evil, classes=tuple(f"{name}{evil}" for name in task.classes))
        for task in description.tasks
        if task.kind != "binary"
    ]
    weights = replace(description.weights, name=evil, licence=evil, notice=evil)
    files = [Path(evil), Path("b")]
    outputs = outputs | {"video_status": np.array([b"ok", f"NOT_A_VIDEO: {evil}".encode()], np.object_)}
    study = build_study(outputs, tasks, files, weights=weights, parameters={evil: evil})
    named = [replace(instances[0], path=files[0], patient_name=evil, patient_id=evil, study_instance_uid=evil)]
    identity = StudyIdentity.of([*named, instances[1]], include_identifiers=True)
    page = render_html(with_frame(study), identity, key_frames=True)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 50
    text_of(page)


@pytest.mark.parametrize("identified", [False, True])
def test_identifiers_only_when_asked_for(study: StudyResult, instances: list[SopInstance], *, identified: bool) -> None:
    identity = StudyIdentity.of(instances, include_identifiers=identified)
    page = render_html(with_frame(study), identity, key_frames=True)
    for secret in (
        "PATIENT SECRET",
        "MRN-0815",
        "3 Feb 1901",
        "31 Dec 1999",
        "ACC-4711",
        "a.dcm",
        "notes.txt",
        "1.2.3",
    ):
        assert (secret in page) == identified, secret


def test_mixed_studies_are_told(study: StudyResult, instances: list[SopInstance]) -> None:
    other = replace(instances[1], study_instance_uid="9.9", sop_instance_uid="9.9.1", content=None)
    assert "The files come from 2 studies." in render_html(study, StudyIdentity.of([instances[0], other]))


def test_values_that_are_no_numbers(
    description: Description, outputs: dict[str, NDArray[np.generic]], instances: list[SopInstance]
) -> None:
    nothing = {name: np.full_like(row, np.nan) for name, row in outputs.items() if name != "video_status"}
    nothing["video_status"] = outputs["video_status"]
    files = [instance.path for instance in instances]
    study = build_study(nothing, description.tasks, files, weights=description.weights, parameters={})
    text = text_of(render_html(study, StudyIdentity.of(instances)))
    assert "not a number" in text
    assert "nan" not in text.replace("panecho", "")


def test_missing_package_names_the_extra(
    study: StudyResult, instances: list[SopInstance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(RequestError, match=r"pip install '\./client\[reports\]'"):
        render_html(study, StudyIdentity.of(instances))


def test_chart_places_values_and_ranges_on_one_axis() -> None:
    chart = chart_of_values(60, {"a": 50, "b": 70, "c": float("nan")}, reference_ranges("EF", sex="M"))
    assert chart is not None
    assert (chart.low < 50, chart.high > 72) == (True, True)
    assert [dot.title for dot in chart.dots] == ["a: 50", "b: 70"]
    (band,) = chart.bands
    assert chart.dots[0].x < band.x < chart.mark < chart.dots[1].x < band.x + band.width < 100
    open_ended = chart_of_values(2, {}, reference_ranges("TAPSE"))
    assert open_ended is not None
    assert open_ended.bands[0].x + open_ended.bands[0].width == pytest.approx(100)
    assert chart_of_values(float("nan"), {}, ()) is None
    assert chart_of_values(0, {"a": 0}, ()) is not None


def test_small_spread_looks_small() -> None:
    chart = chart_of_values(25, {"a": 24.99, "b": 25.01}, ())
    assert chart is not None
    assert abs(chart.dots[0].x - chart.dots[1].x) < 1
