"""``panecho predict --dicomweb`` where instances cannot be fetched, or are not as the standard says."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from panecho_server import TritonServer
from support.dicomweb_server import Pacs, running

pytestmark = pytest.mark.slow

PANECHO = Path(sys.executable).with_name("panecho")
FIELD = Path(__file__).parents[2] / "data/field"
QUICK = ("--num-clips", "1", "--clip-length", "1", "--tasks", "EF")


def predict(pacs: Pacs, server: TritonServer, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        PANECHO,
        "predict",
        "--dicomweb",
        pacs.url,
        "--url",
        server.grpc_url,
        "--output",
        output,
    ]
    return subprocess.run([*command, *QUICK, *arguments], capture_output=True, text=True, check=False, timeout=120)


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as opened:
        return list(csv.DictReader(opened))


@pytest.fixture(scope="module")
def pacs() -> Pacs:
    """A stray delimiter; one of two instances that fails; none that can be fetched; and one without trouble."""
    stray, other = ((FIELD / name).read_bytes() for name in ("stray_sequence_delimiter.dcm", "reference_jpeg.dcm"))
    return Pacs(
        {"1.2.1": [stray], "1.2.2": [other, 500], "1.2.3": [502, 502], "1.2.4": [b"no DICOM", stray], "1.2.5": [other]},
        refused=frozenset({"ModalitiesInStudy"}),
    )


def test_no_instance_ends_its_study_or_the_run(pacs: Pacs, server: TritonServer, tmp_path: Path) -> None:
    with running(pacs):
        done = predict(pacs, server, tmp_path / "results")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert "4 of 5 studies predicted (1 of them incomplete), 1 failed." in done.stderr
    assert "refuses the filter ModalitiesInStudy" in done.stderr
    assert "status NOT_FETCHED in predictions.csv" in done.stderr
    statuses = [row["skipped_statuses"] for row in rows(tmp_path / "results/studies.csv")]
    assert sorted(statuses) == ["", "", "NOT_A_VIDEO=1", "NOT_FETCHED=1"]
    (failure,) = rows(tmp_path / "results/failures.csv")
    assert "(502)" in failure["reason"]
    (missing,) = (row for row in rows(tmp_path / "results/predictions.csv") if row["status"].startswith("NOT_FETCHED"))
    assert "instance 2 of 2: " in missing["status"]
    assert missing["video"].startswith("video-")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"1.2.2.1" not in written


def test_an_incomplete_study_fails_where_that_is_asked_for(pacs: Pacs, server: TritonServer, tmp_path: Path) -> None:
    with running(pacs):
        done = predict(pacs, server, tmp_path / "results", "--on-error", "fail", "--query", "StudyInstanceUID=1.2.2")
    assert "0 of 1 studies predicted, 1 failed." in done.stderr
    (failure,) = rows(tmp_path / "results/failures.csv")
    assert "instance 2 of 2: " in failure["reason"]


def test_a_dead_server_of_studies_ends_the_run(server: TritonServer, tmp_path: Path) -> None:
    with running(Pacs({"1.2.1": [1]})) as gone:
        pass
    done = predict(gone, server, tmp_path / "results")
    assert (done.returncode, "no DICOMweb server answers at" in done.stderr) == (1, True)
