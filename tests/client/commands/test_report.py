"""``panecho report``: reports of stored results, without a server."""

from pathlib import Path

import pytest

from panecho_client._archive.output_folder import OutputFolder
from panecho_client._commands.app import run
from support.output_runs import MakeStudy
from support.output_runs import run as predict


@pytest.fixture
def results(make_study: MakeStudy, tmp_path: Path) -> Path:
    predict(OutputFolder(tmp_path / "results"), [make_study(1), make_study(2)])
    return tmp_path / "results"


def test_reports_are_written_without_predicting_again(results: Path) -> None:
    assert run(["report", str(results), "--formats", "html,pdf,sr,echo-sr,dicom-pdf,fhir"]) == 0
    for study in (results / "studies").iterdir():
        names = {path.name for path in study.iterdir()}
        assert {"report.html", "report.pdf", "report.dcm", "echo-report.dcm", "report-pdf.dcm"} <= names
        assert "MRN-0815" not in (study / "report.fhir.json").read_text()


def test_a_damaged_result_does_not_harm_the_others(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = sorted((results / "studies").iterdir())
    (first / "prediction.json").write_text("{}")
    assert run(["report", str(results), "--formats", "fhir"]) == 3
    assert (second / "report.fhir.json").exists()
    assert "predict the study again" in capsys.readouterr().err
    assert run(["report", str(first.parent), "--formats", "fhir"]) == 1
    assert "holds no results" in capsys.readouterr().err


def test_own_ranges(results: Path, tmp_path: Path) -> None:
    (tmp_path / "ranges.csv").write_text("task,sex,low,high,note,source\nEF,,10,20,,Our own 2026\n")
    folder = next((results / "studies").iterdir())
    assert run(["report", str(folder), "--formats", "html", "--ranges", str(tmp_path / "ranges.csv")]) == 0
    assert "Our own 2026" in (folder / "report.html").read_text()
