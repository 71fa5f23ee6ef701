import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from panecho_client import ClipOptions, PanEcho
from panecho_server import TritonServer

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


@pytest.mark.parametrize("output", ["embeddings.csv", "missing/embeddings.npz"])
def test_wrong_output(output: str, folder: Path, tmp_path: Path) -> None:
    finished = run(folder, "--output", tmp_path / output)
    assert finished.returncode == 2
    assert "--output" in finished.stderr
