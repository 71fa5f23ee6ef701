import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from panecho_client import ClipOptions, PanEcho
from panecho_client._commands.app import run as run_here
from panecho_server import TritonServer
from support.orthanc import copy_of

PANECHO = Path(sys.executable).with_name("panecho")
QUICK = ("--num-clips", "1", "--clip-length", "2")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PANECHO, "embed", *arguments], capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def folder(cine: Path, tmp_path: Path) -> Path:
    target = tmp_path / "Doe^Jane"
    target.mkdir()
    (target / "a.dcm").write_bytes(cine.read_bytes())
    (target / "notes.txt").write_text("not a video")
    return target


def test_numpy_file(server: TritonServer, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "embeddings.npz"
    finished = run(folder, "--output", output, "--url", server.grpc_url, *QUICK)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == str(output)
    assert "1 of 2 files were skipped." in finished.stderr
    written = np.load(output)
    assert [status.partition(":")[0] for status in written["status"]] == ["ok", "NOT_A_VIDEO"]
    assert all(name.startswith("video-") for name in written["video"])
    with PanEcho(server.grpc_url) as panecho:
        expected = panecho.embed(folder / "a.dcm", clip_options=ClipOptions(num_clips=1, clip_length=2))[
            folder / "a.dcm"
        ]
    assert not isinstance(expected, str)
    np.testing.assert_allclose(written["embedding"][0], expected, atol=1e-4)
    assert np.isnan(written["embedding"][1]).all()


def test_parquet_file(server: TritonServer, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "embeddings.parquet"
    finished = run(folder, "--output", output, "--url", f"http://{server.http_url}", "--include-identifiers", *QUICK)
    assert finished.returncode == 0, finished.stderr
    used, skipped = parquet.read_table(output).to_pylist()
    assert used["video"] == str(folder / "a.dcm")
    assert len(used["embedding"]) == 768
    assert skipped["embedding"] is None
    assert skipped["status"].startswith("NOT_A_VIDEO")


def test_an_archive_with_resume_and_shards(
    server: TritonServer, cine: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "archive"
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the command's own process would handle SIGTERM

    def embed(folder: Path, *arguments: str) -> str:
        common = ["--url", server.grpc_url, *QUICK, "--include-identifiers"]
        assert run_here(["embed", str(archive), "--output", str(folder), *common, *arguments]) == 0
        return capfd.readouterr().err

    studies = [f"1.2.826.0.1.3680043.15.{number}" for number in range(3)]
    archive.mkdir()
    for study in studies:
        copy_of(cine, study).save_as(archive / f"{study}.dcm", enforce_file_format=True)
    broken = copy_of(cine, studies[0], instance=2)
    broken.Rows = 7
    broken.save_as(archive / "broken.dcm", enforce_file_format=True)

    assert "3 of 3 studies predicted, 0 failed." in embed(tmp_path / "whole")
    rows = parquet.read_table(tmp_path / "whole/embeddings.parquet").to_pylist()
    used = [row for row in rows if row["status"] == "ok"]
    assert [row["study"] for row in used] == [row["study_instance_uid"] for row in used] == studies
    assert [row["patient"] for row in used] == ["P0", "P1", "P2"]
    assert all(row["sop_instance_uid"] and row["series_instance_uid"] and row["video"] for row in used)
    with PanEcho(server.grpc_url) as panecho:
        options = ClipOptions(num_clips=1, clip_length=2)
        (expected,) = panecho.embed(archive / f"{studies[1]}.dcm", clip_options=options).values()
    assert not isinstance(expected, str)
    np.testing.assert_allclose(used[1]["embedding"], expected, atol=1e-4)
    (skipped,) = (row for row in rows if row["status"] != "ok")
    assert skipped["embedding"] is None

    for shard in ("0/2", "1/2"):
        embed(tmp_path / "shards" / shard[0], "--shard", shard)
        assert "were there before" in embed(tmp_path / "shards" / shard[0], "--shard", shard, "--resume")
    assert run_here(["merge", str(tmp_path / "shards"), "--output", str(tmp_path / "merged")]) == 0
    assert parquet.read_table(tmp_path / "merged/embeddings.parquet").to_pylist() == rows


@pytest.mark.parametrize("output", ["embeddings.csv", "missing/embeddings.npz"])
def test_wrong_output(output: str, folder: Path, tmp_path: Path) -> None:
    finished = run(folder, "--output", tmp_path / output)
    assert finished.returncode == 2
    assert "--output" in finished.stderr
