"""Studies of a real Orthanc through ``panecho predict --dicomweb``."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from panecho_server import TritonServer
from support.orthanc import copy_of, running_orthanc, store

pytestmark = pytest.mark.slow

PANECHO = Path(sys.executable).with_name("panecho")
QUICK = ("--num-clips", "1", "--clip-length", "1", "--tasks", "EF")
UIDS = ("1.2.826.0.1.3680043.11.1", "1.2.826.0.1.3680043.11.2")


@pytest.fixture(scope="module")
def orthanc(cine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two studies: one of two cines, one of a cine and a CT."""
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as url:
        store(url, [copy_of(cine, UIDS[0], instance=number) for number in (1, 2)])
        store(url, [copy_of(cine, UIDS[1]), copy_of(cine, UIDS[1], "CT")])
        yield url


def predict(orthanc: str, server: TritonServer, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        PANECHO,
        "predict",
        "--dicomweb",
        orthanc,
        "--url",
        server.grpc_url,
        "--output",
        output,
    ]
    return subprocess.run([*command, *QUICK, *arguments], capture_output=True, text=True, check=False, timeout=120)


def videos_used(output: Path) -> list[str]:
    with (output / "studies.csv").open(newline="") as opened:
        return sorted(row["videos_used"] for row in csv.DictReader(opened))


def test_every_study_is_predicted_and_resumed(orthanc: str, server: TritonServer, tmp_path: Path) -> None:
    output = tmp_path / "results"
    one = predict(orthanc, server, output, "--query", f"StudyInstanceUID={UIDS[1]}")
    assert one.returncode == 0, one.stderr
    assert videos_used(output) == ["1"]
    both = predict(orthanc, server, output, "--resume")
    assert both.returncode == 0, both.stderr
    assert "1 of 2 studies predicted, 0 failed, 1 were there before." in both.stderr
    assert videos_used(output) == ["1", "2"]
    written = b"".join(path.read_bytes() for path in output.rglob("*") if path.is_file())
    assert not any(uid.encode() in written for uid in UIDS)
    assert not any(uid in both.stderr for uid in UIDS)


def test_nothing_matches(orthanc: str, server: TritonServer, tmp_path: Path) -> None:
    refused = predict(orthanc, server, tmp_path / "results", "--query", "PatientID=nobody")
    assert refused.returncode == 1
    assert "no ultrasound study that matches; change --query" in refused.stderr
