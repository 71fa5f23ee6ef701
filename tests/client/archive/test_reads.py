"""What a run reads: each header once, each file without a UID once more for its name, and each file once to send it."""

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom.filereader
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from panecho_client import _sender
from panecho_server import TritonServer
from support.commands import invoke

QUICK = ("--num-clips", "1", "--clip-length", "2", "--tasks", "EF")


class Reads:
    """Counts since ``clear``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parsed = 0
        self.hashed: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self._count(monkeypatch, pydicom.filereader, "read_partial", self._parse)
        self._count(monkeypatch, hashlib, "file_digest", lambda file, *_: self.hashed.update([Path(file.name).name]))
        self._count(monkeypatch, _sender, "read_files", lambda files, _: self.sent.update(file.name for file in files))

    def clear(self) -> None:
        self.parsed = 0
        self.hashed.clear()
        self.sent.clear()

    def _parse(self, *_: object) -> None:
        self.parsed += 1

    @staticmethod
    def _count(monkeypatch: pytest.MonkeyPatch, module: object, name: str, note: Callable[..., None]) -> None:
        function = getattr(module, name)

        def counted(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - any function's
            note(*args)
            return function(*args, **options)

        monkeypatch.setattr(module, name, counted)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


@pytest.fixture
def archive(cine: Path, tmp_path: Path) -> Path:
    """Two studies of a DICOM file and a video without a UID, a study of a video alone, and one that fails."""
    dataset, video = dcmread(cine), cine.with_name("sonosite_h264.mp4").read_bytes()
    for number in (1, 2):
        folder = tmp_path / f"archive/{number}"
        folder.mkdir(parents=True)
        dataset.StudyInstanceUID = generate_uid(entropy_srcs=[f"study {number}"])
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[f"file of study {number}"])
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(folder / f"{number}.dcm")
        (folder / f"{number}.mp4").write_bytes(video)
    for name, content in (("3.mp4", video), ("4.avi", b"RIFF\0\0\0\0AVI nothing")):
        (tmp_path / "archive" / name[0]).mkdir()
        (tmp_path / "archive" / name[0] / name).write_bytes(content)
    return tmp_path / "archive"


WITHOUT_UID = ["1.mp4", "2.mp4", "3.mp4", "4.avi"]
EVERY_FILE = ["1.dcm", "2.dcm", *WITHOUT_UID]


def test_a_run_reads_each_file_once(server: TritonServer, archive: Path, tmp_path: Path, reads: Reads) -> None:
    index = tmp_path / "index.csv"
    runs: dict[str, tuple[str | Path, ...]] = {
        "folder": ("predict", archive, "--formats", "html,sr", "--key-frames", "--output", tmp_path / "a"),
        "shard": ("predict", archive, "--shard", "0/1", "--output", tmp_path / "b"),
        "index": ("index", archive, "--output", index),
        "from index": ("predict", "--index", index, "--shard", "0/1", "--output", tmp_path / "c"),
    }
    for name, arguments in runs.items():
        reads.clear()
        predicts = arguments[0] == "predict"
        done = invoke(*arguments, *(("--url", server.grpc_url, *QUICK) if predicts else ()))
        assert done.exit_code == (3 if predicts else 0), done.output
        assert (name, reads.parsed) == (name, 2)
        assert (name, reads.hashed) == (name, dict.fromkeys(WITHOUT_UID, 1))
        assert (name, reads.sent) == (name, dict.fromkeys(EVERY_FILE, 1) if predicts else {})


def test_one_study_reads_each_file_once(server: TritonServer, archive: Path, tmp_path: Path, reads: Reads) -> None:
    outputs = ("--html", tmp_path / "r.html", "--sr", tmp_path / "r.dcm", "--csv", tmp_path / "r.csv", "--key-frames")
    done = invoke("predict", archive / "1", *outputs, "--url", server.grpc_url, *QUICK)
    assert done.exit_code == 0, done.output
    assert reads.parsed == 1
    assert reads.hashed == {"1.mp4": 1}
    assert reads.sent == {"1.dcm": 1, "1.mp4": 1}
