"""``make lint`` refuses what could run code that a file holds."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUFF = Path(sys.executable).with_name("ruff")


def findings(source: str) -> set[str]:
    """Codes of the rules about safety that ruff, as configured here, finds broken in a file of the server."""
    options = ["--select", "S,TID251", "--output-format", "concise", "--stdin-filename", "server/panecho_server/new.py"]
    done = subprocess.run(
        [RUFF, "check", *options, "-"], cwd=ROOT, input=source, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith("server/")}


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("import pickle", "TID251"),
        ("import pickle as p", "TID251"),
        ("from pickle import loads", "TID251"),
        ("import joblib.numpy_pickle", "TID251"),
        ("import marshal", "TID251"),
        ("import torch\ntorch.load('a.pt')", "TID251"),
        ("import torch\ntorch.load('a.pt', weights_only=False)", "TID251"),
        ("from torch import load\nload('a.pt')", "TID251"),
        ("import torch\ntorch.jit.load('a.pt').eval()", "TID251"),
        ("from torch.serialization import add_safe_globals", "TID251"),
        ("import yaml\nyaml.load(text)", "S506"),
        ("import yaml\nyaml.load(text, Loader=yaml.Loader)", "S506"),
        ("from yaml import load, Loader\nload(text, Loader=Loader)", "S506"),
        ("import yaml\nyaml.unsafe_load(text)", "TID251"),
        ("import yaml\nyaml.full_load_all(text)", "TID251"),
        ("eval(text)", "S307"),
        ("exec(text)", "S102"),
        ("import os\nos.system(text)", "S605"),
        ("import os\nos.popen(text)", "S605"),
        ("import subprocess\nsubprocess.getoutput(text)", "S605"),
        ("import subprocess\nsubprocess.run(text, shell=True)", "S602"),
        ("from subprocess import check_output\ncheck_output(text, shell=True)", "S602"),
    ],
)
def test_ruff_finds(source: str, code: str) -> None:
    assert code in findings(source)


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.load('a.npy')",
        "import yaml\nyaml.safe_load(text)\nyaml.load(text, Loader=yaml.CSafeLoader)",
        "model.eval()\nregex.compile(text)",
    ],
)
def test_ruff_passes(source: str) -> None:
    assert findings(source) == set()


def test_nothing_lets_numpy_unpickle() -> None:
    command = ["git", "grep", "--line-number", "--untracked", "allow_pickle *=", "--", "*.py", ":!tests/house"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
