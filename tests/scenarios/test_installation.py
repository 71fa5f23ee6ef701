"""The client in an environment of its own, as a new user installs it: no torch, no server, no extras."""

import json
import subprocess
import venv
from pathlib import Path

import pytest

from panecho_server import TritonServer

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "cv2", "pytriton", "pydicom", "pyarrow")


@pytest.mark.slow
def test_the_client_alone_predicts(server: TritonServer, cine: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv/bin"
    install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--constraint", str(ROOT / "constraints.txt"), str(ROOT)], check=True, timeout=300)
    code = f"import importlib.util; print([name for name in {HEAVY} if importlib.util.find_spec(name)])"
    heavy = subprocess.run([programs / "python", "-c", code], capture_output=True, text=True, check=True)
    assert heavy.stdout.strip() == "[]"
    quick = ("--tasks", "EF", "--num-clips", "1", "--clip-length", "1", "--json", "-")
    finished = subprocess.run(
        [programs / "panecho", "predict", cine, "--url", server.grpc_url, *quick],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["predictions"].keys() == {"EF"}
    refused = subprocess.run(
        [programs / "panecho", "predict", cine, "--url", server.grpc_url, "--output", tmp_path / "results"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert refused.returncode == 1
    assert "pip install 'panecho-triton[reports]'" in refused.stderr
