"""``panecho watch`` killed with SIGKILL, wherever it is: nothing is lost, and nothing is predicted or stored twice."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from panecho_server import TritonServer
from support.orthanc import copy_of, held, wait_until_stable
from support.scanner import send

pytestmark = [pytest.mark.slow, pytest.mark.long]

TESTS = Path(__file__).parents[2]
PANECHO = str(Path(sys.executable).with_name("panecho"))
REPORTED = {"US": 1, "SR": 1, "DOC": 1}
SEED = 18
STUDIES = 8
SECONDS = 120

# Each step, before and after; the number of predictions that the study then takes.
POINTS = [
    ("after", "OrthancFeed.news", 1, 1),
    ("before", "Journal.note_news", 1, 1),
    ("after", "Journal.note_news", 1, 1),
    ("after", "DicomWeb.fetch_study", 1, 1),
    ("after", "OutputFolder.note_names", 1, 1),
    ("before", "OutputFolder.write", 1, 2),  # predicted, and nowhere written
    ("after", "OutputFolder.write", 1, 1),
    ("before", "DicomWeb.store", 1, 1),
    ("after", "DicomWeb.store", 1, 1),
    ("before", "DicomWeb.store", 2, 1),
    ("after", "DicomWeb.store", 2, 1),
    ("before", "Journal.finish", 1, 1),
    ("after", "Journal.finish", 1, 1),
]


def arguments(orthanc: str, server: TritonServer, folder: Path, *further: str) -> list[str]:
    pacs = ["--orthanc", orthanc.removesuffix("/dicom-web"), "--output", str(folder), "--url", server.grpc_url]
    quick = ["--num-clips", "1", "--clip-length", "1", "--tasks", "EF", "--poll-seconds", "0.3"]
    return ["watch", *pacs, *quick, *further]


def predictions(server: TritonServer) -> int:
    """Return the number of requests that the ensemble has answered."""
    with build_opener(ProxyHandler({})).open(f"http://{server.http_url}/v2/models/panecho/stats", timeout=30) as answer:
        (model,) = json.load(answer)["model_stats"]
    return int(model["inference_stats"]["success"]["count"])


def run(*command: str) -> int:
    return subprocess.run(command, cwd=TESTS, check=False, timeout=SECONDS).returncode


def test_it_may_be_killed_at_every_step(
    orthanc: str, scanned_port: int, server: TritonServer, cine: Path, tmp_path: Path
) -> None:
    for number, (when, function, call, times) in enumerate(POINTS):
        study, before = f"1.2.826.0.1.3680043.13.{number}", predictions(server)
        folder, point = tmp_path / f"watched-{number}", f"{when} {function} {call}"
        send(scanned_port, [copy_of(cine, study)], tmp_path / "scanner")
        wait_until_stable(orthanc)
        command = arguments(orthanc, server, folder, "--once")

        killed = run(sys.executable, "-m", "support.killed_watch", when, function, str(call), *command)
        assert killed == -signal.SIGKILL, point
        assert run(PANECHO, *command) == 0, point
        wait_until_stable(orthanc)
        assert run(PANECHO, *command) == 0, point

        assert held(orthanc, study) == REPORTED, point
        assert predictions(server) - before == times, point


def test_killed_again_and_again_while_a_scanner_sends(
    orthanc: str, scanned_port: int, server: TritonServer, cine: Path, tmp_path: Path
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - no secret
    folder, studies = tmp_path / "watched", [f"1.2.826.0.1.3680043.14.{number}" for number in range(STUDIES)]
    command = [PANECHO, *arguments(orthanc, server, folder)]
    for study in studies:
        process = subprocess.Popen(command, cwd=TESTS)
        send(scanned_port, [copy_of(cine, study)], tmp_path / "scanner")
        time.sleep(chance.uniform(2, 6))
        process.kill()
        process.wait()
    wait_until_stable(orthanc)
    assert run(*command, "--once") == 0
    wait_until_stable(orthanc)
    assert run(*command, "--once") == 0

    assert [held(orthanc, study) for study in studies] == [REPORTED] * STUDIES
