"""``panecho watch`` with a real Orthanc, to which storescu sends studies as a scanner does."""

import csv
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from panecho_client._commands.app import run
from panecho_server import TritonServer
from panecho_server.ports import free_port
from support.orthanc import copy_of, held, wait_until_stable
from support.scanner import send

pytestmark = pytest.mark.slow

UIDS = tuple(f"1.2.826.0.1.3680043.12.{number}" for number in range(1, 6))
OURS = {"US": 1, "SR": 1, "DOC": 1}

Scan = Callable[..., None]
Watch = Callable[..., int]


@pytest.fixture
def scan(scanned_port: int, cine: Path, tmp_path: Path) -> Scan:
    """Send a study of one cine; of a size that it does not have, it cannot be used."""

    def send_study(study: str, *, instance: int = 1, size: int = 0) -> None:
        dataset = copy_of(cine, study, instance=instance)
        dataset.Rows, dataset.Columns = size or dataset.Rows, size or dataset.Columns
        send(scanned_port, [dataset], tmp_path / "scanner")

    return send_study


@pytest.fixture
def watch(orthanc: str, server: TritonServer, tmp_path: Path) -> Iterator[Watch]:
    """Run the command until nothing is left to do."""
    before = signal.getsignal(signal.SIGTERM)

    def run_once(*arguments: str, folder: Path = tmp_path / "watched") -> int:
        wait_until_stable(orthanc)
        named = {"--dicomweb", "--orthanc"} & {*arguments}
        pacs = () if named else ("--orthanc", orthanc.removesuffix("/dicom-web"))
        where = ["--output", str(folder), "--url", server.grpc_url, "--once", "--poll-seconds", "0.3"]
        quick = ["--num-clips", "1", "--clip-length", "1", "--tasks", "EF"]
        return run(["watch", *pacs, *where, *quick, *arguments])

    yield run_once
    signal.signal(signal.SIGTERM, before)


def test_what_a_scanner_sends_comes_back_with_reports_once(
    orthanc: str, scan: Scan, watch: Watch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study = UIDS[0]
    scan(study)

    assert watch() == 0
    assert held(orthanc, study) == OURS
    said = capfd.readouterr().err
    assert "predicted and stored sr, dicom-pdf" in said
    assert study not in said

    assert watch() == 0  # Orthanc calls the study stable again: it got the reports
    assert watch(folder=tmp_path / "other") == 0  # as after the folder was lost
    assert held(orthanc, study) == OURS
    assert "stored" not in capfd.readouterr().err

    scan(study, instance=2)
    assert watch() == 0
    assert held(orthanc, study) == {"US": 2, "SR": 2, "DOC": 2}  # of two videos, and the older ones of one


def test_a_study_that_fails_is_listed_until_it_changes(
    orthanc: str, scan: Scan, watch: Watch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study = UIDS[1]
    scan(study, size=7)

    assert watch() == 3
    with (tmp_path / "watched/failures.csv").open(newline="") as opened:
        (row,) = csv.DictReader(opened)
    assert row["study"].startswith("study-")
    assert "SIZE_MISMATCH: frame 0: the compressed frame is 320 x 240 pixels, the header says 7 x 7" in row["reason"]
    assert row["reason"] in capfd.readouterr().err
    assert study not in str(row)
    assert "/panecho-" not in str(row)  # the temporary folder
    assert held(orthanc, study) == {"US": 1}

    scan(study, instance=2)
    assert watch() == 0
    assert not (tmp_path / "watched/failures.csv").exists()
    assert held(orthanc, study) == {"US": 2, "SR": 1, "DOC": 1}


def test_a_study_without_a_cine_is_left_out(orthanc: str, scan: Scan, watch: Watch, tmp_path: Path) -> None:
    study = UIDS[4]
    scan(study, instance=30)  # the last of 30 frames

    assert watch() in (0, 3)  # the study of another test may have failed
    assert held(orthanc, study) == {"US": 1}
    failures = tmp_path / "watched/failures.csv"
    assert not failures.exists() or "NOT_A_CINE" not in failures.read_text()


def test_a_server_that_is_searched_again_and_again(orthanc: str, scan: Scan, watch: Watch, tmp_path: Path) -> None:
    studies = UIDS[2:4]
    for study in studies:
        scan(study)
    pacs = ("--dicomweb", orthanc, "--stable-seconds", "0.5", "--query", f"StudyInstanceUID={studies[0]}")

    assert watch(*pacs, "--query", "StudyDate=19000101-", "--store", "echo-sr") == 0
    assert watch(*pacs, "--query", "StudyDate=19000101-", "--store", "echo-sr") == 0
    assert held(orthanc, studies[0]) == {"US": 1, "SR": 1}
    assert held(orthanc, studies[1]) == {"US": 1}
    assert watch(*pacs, "--store", "echo-sr", folder=tmp_path / "other") == 0  # the cine is older than two days
    assert not [*(tmp_path / "other/studies").iterdir()]


def test_metrics(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    port = free_port()

    assert watch("--metrics-port", str(port)) in (0, 3)
    served = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    assert "panecho_watch_pacs_up 1.0" in served
    assert "panecho_watch_studies_waiting 0.0" in served
    assert not any(uid in served for uid in UIDS)


def test_wrong_addresses(watch: Watch, orthanc: str, capfd: pytest.CaptureFixture[str]) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    assert watch("--dicomweb", nobody) == 5
    assert f"no DICOMweb server answers at {nobody}" in capfd.readouterr().err
    assert watch("--orthanc", nobody) == 5
    assert f"no Orthanc answers at {nobody}" in capfd.readouterr().err
    assert watch("--orthanc", orthanc) == 1  # it is the address of its DICOMweb service
    assert "has nothing there (404); check its address" in capfd.readouterr().err


def test_nothing_to_watch(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["watch", "--output", "watched"]) == 2
    assert "Give --orthanc URL or --dicomweb URL." in capfd.readouterr().err
