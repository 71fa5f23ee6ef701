"""The client in an environment of its own, as a new user installs it: no torch, no server, no command."""

import json
import subprocess
import venv
from pathlib import Path

import pytest

from panecho_server import TritonServer

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "cv2", "pytriton", "pydicom", "pyarrow", "typer", "cyclopts", "rich")
PREDICT = """
import sys
from panecho_client import ClipOptions, PanEcho
with PanEcho(sys.argv[1]) as panecho:
    print(panecho.predict_study(sys.argv[2], clip_options=ClipOptions(num_clips=1, clip_length=1)).to_json())
"""


def output(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_client_alone_predicts_and_its_extra_adds_the_command(
    server: TritonServer, cine: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python, panecho = tmp_path / "venv/bin/python", tmp_path / "venv/bin/panecho"
    install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    output(*install, ROOT / "client")
    found = f"import importlib.util; print([name for name in {HEAVY} if importlib.util.find_spec(name)])"
    assert output(python, "-c", found) == "[]\n"
    assert len(json.loads(output(python, "-c", PREDICT, server.grpc_url, cine))["predictions"]) == 40
    without = subprocess.run([panecho, "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert without.returncode == 1
    assert without.stderr.startswith("panecho needs the cli extra; in a checkout: pip install './client[cli]' (")

    output(*install, f"{ROOT / 'client'}[cli]")
    quick = ("--tasks", "EF", "--num-clips", "1", "--clip-length", "1", "--json", "-")
    predicted = json.loads(output(panecho, "predict", cine, "--url", server.grpc_url, *quick))
    assert predicted["predictions"].keys() == {"EF"}
    refused = subprocess.run(
        [panecho, "predict", cine, "--url", server.grpc_url, "--output", tmp_path / "results"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert refused.returncode == 1
    assert "pip install './client[reports]'" in refused.stderr
