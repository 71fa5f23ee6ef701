"""An archive that three processes predict, one of which is killed: the tables are those of a single run."""

import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from panecho_client._commands.console import UNAVAILABLE
from panecho_server import TritonServer

pytestmark = pytest.mark.long

PANECHO = Path(sys.executable).with_name("panecho")
QUICK = ("--num-clips", "1", "--clip-length", "1", "--tasks", "EF,AVStenosis", "--concurrency", "2")
STUDIES = 24


@pytest.fixture(scope="module")
def archive(cine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Studies with a UID each, and one of which no file can be used."""
    folder = tmp_path_factory.mktemp("archive")
    dataset = dcmread(cine)
    for number in range(STUDIES):
        dataset.StudyInstanceUID = generate_uid(entropy_srcs=[f"study {number}"])
        dataset.save_as(folder / f"{number}.dcm")
    (folder / "broken").mkdir()
    (folder / "broken/a.avi").write_bytes(b"RIFF\0\0\0\0AVI nothing")
    return folder


def panecho(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run([PANECHO, *arguments], capture_output=True, text=True, check=False, timeout=300)
    assert finished.returncode == status, finished.stderr
    return finished


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as opened:
        return list(csv.DictReader(opened))


def assert_same(table: Path, other: Path) -> None:
    """Compare numbers within the noise of batching, all else exactly."""
    for row, same in zip(rows(table), rows(other), strict=True):
        assert row.keys() == same.keys()
        for name, value in row.items():
            if name in ("value", "EF") or name.startswith("AVStenosis:"):
                assert value == same[name] or float(value) == pytest.approx(float(same[name]), abs=1e-4)
            else:
                assert value == same[name]


@pytest.mark.slow
def test_a_killed_shard_goes_on_and_nothing_is_lost(server: TritonServer, archive: Path, tmp_path: Path) -> None:
    panecho("predict", archive, "--url", server.grpc_url, "--output", tmp_path / "whole", *QUICK, status=3)
    index = tmp_path / "index.csv"
    made = panecho("index", archive, "--output", index)
    assert made.stderr.splitlines()[-1] == f"Studies: {STUDIES + 1}. Files: {STUDIES + 1}."
    assert made.stdout == f"{index}\n"
    assert len(rows(index)) == STUDIES + 1

    shards = tmp_path / "shards"
    options = ("--index", index, "--url", server.grpc_url, "--resume", *QUICK)
    commands = [("predict", f"--shard={index}/3", "--output", shards / str(index), *options) for index in range(3)]
    killed = subprocess.Popen([PANECHO, *commands[0]], stderr=subprocess.DEVNULL)
    while not list(shards.glob("0/studies/study-*")):
        assert killed.poll() is None
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    before = len(list(shards.glob("0/studies/study-*")))
    running = [subprocess.Popen([PANECHO, *command], stderr=subprocess.PIPE, text=True) for command in commands[1:]]
    said = [process.communicate(timeout=300)[1] for process in running]
    refused = panecho("merge", shards, "--output", tmp_path / "merged", status=1)
    assert "shards/0 (shard 0/3) was not run to its end; run that shard again with --resume." in refused.stderr
    assert not (tmp_path / "merged").exists()

    again = subprocess.run([PANECHO, *commands[0]], capture_output=True, text=True, check=False, timeout=300)
    assert f"{before} were there before" in again.stderr
    found = [int(text.partition("Found ")[2].partition(" ")[0]) for text in (again.stderr, *said)]
    assert sum(found) == STUDIES + 1
    assert sorted([again.returncode, *(process.returncode for process in running)]) == [0, 0, 3]

    merged = panecho("merge", shards, "--output", tmp_path / "merged", status=3)
    assert f"3 shards: {STUDIES} of {STUDIES + 1} studies predicted, 1 failed." in merged.stderr
    names = ["studies.csv", "predictions.csv", "dictionary.csv", "failures.csv"]
    assert merged.stdout.split() == [str(tmp_path / "merged" / name) for name in names]
    for name in names:
        assert_same(tmp_path / "merged" / name, tmp_path / "whole" / name)


def test_without_an_index_the_shards_are_the_same(archive: Path, tmp_path: Path, unused_url: str) -> None:
    panecho("index", archive, "--output", tmp_path / "index.csv")
    options = ("--shard", "1/3", "--url", unused_url, "--output", tmp_path / "output", *QUICK)
    listed = panecho("predict", "--index", tmp_path / "index.csv", *options, status=UNAVAILABLE)
    looked = panecho("predict", archive, *options, status=UNAVAILABLE)
    found = [text.stderr.partition("Found ")[2].partition(".")[0] for text in (listed, looked)]
    assert found[0] == found[1]
    assert found[0].endswith(" studies of shard 1/3")


def test_an_empty_shard_needs_no_server(tmp_path: Path, unused_url: str, cine: Path) -> None:
    (tmp_path / "archive").mkdir()
    shutil.copy(cine, tmp_path / "archive")
    panecho("index", tmp_path / "archive", "--output", tmp_path / "index.csv")
    options = ("--index", tmp_path / "index.csv", "--url", unused_url, *QUICK, "--resume")
    statuses = []
    for index in range(2):
        command: list[str | Path] = [
            PANECHO,
            "predict",
            *options,
            "--shard",
            f"{index}/2",
            "--output",
            tmp_path / f"shards/{index}",
        ]
        finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        statuses.append(finished.returncode)
        assert ("Found 0 studies" in finished.stderr) == (finished.returncode == 0), finished.stderr
    assert sorted(statuses) == [0, UNAVAILABLE]
    empty = tmp_path / f"shards/{statuses.index(0)}"
    assert json.loads((empty / "shard.json").read_text()) == {"studies": 0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.dcm", "--output", "x", "--shard", "3/3"], "'3/3' is not INDEX/COUNT"),
        (["a.dcm", "--shard", "0/3"], "--index and --shard need --output"),
        (["--index", "m.csv"], "--index and --shard need --output"),
        (["a.dcm", "--index", "m.csv", "--output", "x"], "Give one of: PATHS, --index FILE, --dicomweb URL."),
    ],
)
def test_options_that_make_no_sense(arguments: list[str], said: str, tmp_path: Path) -> None:
    finished = subprocess.run(
        [PANECHO, "predict", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert finished.returncode == 2
    assert said in unboxed(finished.stderr)
    assert not (tmp_path / "x").exists()


def unboxed(text: str) -> str:
    return " ".join(text.replace("│", "").split())


def test_an_index_of_nothing(tmp_path: Path) -> None:
    nothing = panecho("index", tmp_path / "none", "--output", tmp_path / "m.csv", status=1)
    assert "none does not exist; check the path" in nothing.stderr
    assert not (tmp_path / "m.csv").exists()
    nowhere = panecho("index", tmp_path, "--output", "none/m.csv", status=2)
    assert "the folder none does not exist" in unboxed(nowhere.stderr)
