"""`panecho predict --local`: one study, many studies, and what cannot be."""

import json
import shutil
from pathlib import Path

import pytest

from support.commands import invoke

QUICK = ("--tasks", "EF", "--num-clips", "1", "--clip-length", "4", "--local", "--stand-in", "0")


def test_one_study(cine: Path, tmp_path: Path) -> None:
    finished = invoke("predict", cine, *QUICK, "--json", tmp_path / "study.json")
    assert finished.exit_code == 0, finished.stderr
    assert "Predicting 1 file in this process" in finished.stderr
    study = json.loads((tmp_path / "study.json").read_text())
    assert study["weights"]["name"] == "stand-in 0"


def test_many_studies_and_resume(cine: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    shutil.copy(cine, archive)
    shutil.copy(cine.parent / "sonosite_h264.mp4", archive)
    options = (archive, *QUICK, "--output", tmp_path / "results")
    first = invoke("predict", *options)
    assert first.exit_code == 0, first.stderr
    table = (tmp_path / "results/studies.csv").read_bytes()
    again = invoke("predict", *options, "--resume")
    assert again.exit_code == 0, again.stderr
    assert (tmp_path / "results/studies.csv").read_bytes() == table


@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        (("--stand-in", "0"), 2, "--stand-in, --device and --precision need --local"),
        (("--local", "--checkpoint", "none.pt"), 1, "none.pt: no such file"),
        (("--local", "--checkpoint", "none.pt", "--stand-in", "0"), 1, "choose one: real weights or stand-ins"),
        (("--local", "--stand-in", "0", "--device", "abacus"), 1, "device 'abacus' cannot be used"),
    ],
)
def test_what_cannot_be_is_one_line(options: tuple[str, ...], status: int, text: str, cine: Path) -> None:
    finished = invoke("predict", cine, *options)
    assert finished.exit_code == status
    assert text in finished.stderr.splitlines()[-1]
