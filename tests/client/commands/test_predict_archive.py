"""Many studies through ``panecho predict --output``: killed, interrupted, resumed, and through a server's restart."""

import csv
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import generate_uid

from panecho_server import ServerSettings, TritonServer
from support.serve import running_server

PANECHO = Path(sys.executable).with_name("panecho")
QUICK = ("--num-clips", "1", "--clip-length", "1", "--tasks", "EF,AVStenosis")
STUDIES = 80


def make_studies(folder: Path, cine: Path, count: int) -> Path:
    """Studies of one or two files, each with a UID of its own, some with a file that cannot be used."""
    dataset = dcmread(cine)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=dataset.NumberOfFrames))
    for number in range(count):
        study = folder / f"{number:03}"
        study.mkdir(parents=True)
        dataset.StudyInstanceUID = generate_uid(entropy_srcs=[f"study {number}"])
        dataset.PatientID = f"MRN{number:05}"
        for instance in range(1 + number % 2):
            dataset.SOPInstanceUID = generate_uid(entropy_srcs=[f"study {number} instance {instance}"])
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.PixelData = encapsulate(frames[instance:])  # another video: the same one counts once
            dataset.NumberOfFrames = len(frames) - instance
            dataset.save_as(study / f"{instance}.dcm")
        if number % 10 == 0:
            (study / "notes.txt").write_text(f"notes {number}")
    return folder


@pytest.fixture(scope="module")
def studies(cine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_studies(tmp_path_factory.mktemp("many"), cine, STUDIES)


@pytest.fixture(scope="module")
def few(cine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_studies(tmp_path_factory.mktemp("few"), cine, 12)


def command(url: str, studies: Path, output: Path, *arguments: str) -> Sequence[str | Path]:
    return [PANECHO, "predict", studies, "--url", url, "--output", output, *QUICK, *arguments]


def run(url: str, studies: Path, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(url, studies, output, *arguments), capture_output=True, text=True, check=False, timeout=500
    )


def started(url: str, studies: Path, output: Path, *arguments: str, done: int) -> subprocess.Popen[str]:
    """Start a run and wait until so many studies are done."""
    process = subprocess.Popen(command(url, studies, output, *arguments), stderr=subprocess.PIPE, text=True)
    while count_done(output) < done:
        assert process.poll() is None
        time.sleep(0.02)
    return process


def count_done(output: Path) -> int:
    return len([path for path in output.glob("studies/*") if not path.name.startswith(".")])


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as opened:
        return list(csv.DictReader(opened))


def tables(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(output.glob("*.csv"))}


@pytest.mark.long
def test_killed_and_resumed_is_as_if_nothing_had_happened(server: TritonServer, studies: Path, tmp_path: Path) -> None:
    whole = run(server.grpc_url, studies, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    assert f"Found {STUDIES} studies." in whole.stderr
    assert f"{STUDIES} of {STUDIES} studies predicted, 0 failed." in whole.stderr
    tables = ("studies.csv", "predictions.csv", "dictionary.csv")
    assert whole.stdout.split() == [f"{tmp_path}/whole/{name}" for name in tables]
    assert len({row["study"] for row in rows(tmp_path / "whole/studies.csv")}) == STUDIES

    output = tmp_path / "killed"
    for done in sorted(random.Random(time.time_ns()).sample(range(1, STUDIES), 2)):  # noqa: S311 - no secret
        arguments = ["--resume"] if output.exists() else []
        process = started(server.grpc_url, studies, output, *arguments, done=done)
        process.kill()
        process.communicate()
    before = count_done(output)
    resumed = run(server.grpc_url, studies, output, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert f"{STUDIES - before} of {STUDIES} studies predicted, 0 failed, {before} were there before." in resumed.stderr
    assert_same_tables(output, tmp_path / "whole")


def assert_same_tables(one: Path, other: Path) -> None:
    """Compare numbers within the noise of batching: a clip's last digits depend on what shares its batch."""
    assert tables(one).keys() == tables(other).keys()
    for name in tables(one):
        for row, same in zip(rows(one / name), rows(other / name), strict=True):
            assert row.keys() == same.keys()
            for column, value in row.items():
                if column in ("value", "sd", "lowest", "highest") or column.startswith(("ef", "avstenosis")):
                    assert value == same[column] or float(value) == pytest.approx(float(same[column]), abs=1e-4)
                else:
                    assert value == same[column]


@pytest.mark.slow
def test_interrupted_leaves_what_was_done(server: TritonServer, few: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    process = started(server.grpc_url, few, output, done=3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Interrupted." in said
    assert "--resume" in said
    assert 3 <= len(rows(output / "studies.csv")) == count_done(output) < 12
    again = run(server.grpc_url, few, output, "--resume")
    assert again.returncode == 0, again.stderr
    assert len(rows(output / "studies.csv")) == 12


def test_a_folder_that_holds_results_is_not_mixed(server: TritonServer, few: Path, tmp_path: Path) -> None:
    one = few / "001"
    assert run(server.grpc_url, one, tmp_path / "output").returncode == 0
    again = run(server.grpc_url, one, tmp_path / "output")
    assert again.returncode == 1
    assert "--resume" in again.stderr
    other = run(server.grpc_url, one, tmp_path / "output", "--resume", "--frame-stride", "2")
    assert other.returncode == 1
    assert "frame_stride" in other.stderr


def test_what_fails_is_said_and_listed(server: TritonServer, few: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    (archive / "good").mkdir(parents=True)
    (archive / "bad").mkdir()
    (archive / "good/a.dcm").write_bytes((few / "001/0.dcm").read_bytes())
    (archive / "bad/Doe^Jane.avi").write_bytes(b"RIFF\0\0\0\0AVI nothing")
    finished = run(server.grpc_url, archive, tmp_path / "output", "--formats", "html,sr,parquet", "--key-frames")
    assert finished.returncode == 3, finished.stderr
    assert "1 of 2 studies predicted, 1 failed." in finished.stderr
    (failure,) = rows(tmp_path / "output/failures.csv")
    assert failure["code"] == "INVALID_ARGUMENT"
    assert "no file of this request could be used" in failure["reason"]
    assert "Doe" not in (tmp_path / "output/failures.csv").read_text()
    assert failure["study"] in finished.stderr
    (study,) = (tmp_path / "output/studies").iterdir()
    assert {path.name for path in study.iterdir()} == {
        "prediction.json",
        "study.csv",
        "videos.csv",
        "report.html",
        "report.dcm",
        "key_frames",  # from which `panecho report` makes the reports again
    }
    assert "data:image/png" in (study / "report.html").read_text()
    assert (tmp_path / "output/predictions.parquet").stat().st_size > 0


def test_several_studies_are_not_mixed_into_one(server: TritonServer, few: Path) -> None:
    paths = [few / "000", few / "001"]
    refused = subprocess.run(
        [PANECHO, "predict", *paths, "--url", server.grpc_url, *QUICK], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "2 studies" in refused.stderr
    assert "--output" in refused.stderr
    assert "--one-study" in refused.stderr
    mixed = subprocess.run(
        [PANECHO, "predict", *paths, "--url", server.grpc_url, *QUICK, "--one-study"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert mixed.returncode == 0


@pytest.mark.slow
def test_a_run_outlives_a_restart_of_the_server(restarting: ServerSettings, few: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    url = f"127.0.0.1:{restarting.grpc_port}"
    with TritonServer(restarting) as first:
        process = started(url, few, output, done=4)
        first.stop()
        with running_server(restarting):
            _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    found = [row["study"] for row in rows(output / "studies.csv")]
    assert len(found) == len(set(found)) == 12
    assert "12 of 12 studies predicted, 0 failed." in said
    assert len(rows(output / "predictions.csv")) == sum(
        4 * (2 + number % 2) + (number % 10 == 0) for number in range(12)
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.dcm", "--resume"],
        ["a.dcm", "--formats", "html"],
        ["a.dcm", "--dicomweb", "http://localhost:1"],
        ["a.dcm", "--output", "x", "--csv", "a.csv"],
        ["a.dcm", "--output", "x", "--formats", "doc"],
        ["a.dcm", "--output", "x", "--one-study"],
        ["a.dcm", "--query", "StudyDate=2026"],
        ["--dicomweb", "http://localhost:1", "--output", "x", "--query", "StudyDate"],
    ],
)
def test_options_that_make_no_sense(arguments: list[str], tmp_path: Path) -> None:
    finished = subprocess.run(
        [PANECHO, "predict", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert finished.returncode == 2, finished.stderr
    assert not (tmp_path / "x").exists()
