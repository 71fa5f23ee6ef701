"""Hostile files: code pickled into a checkpoint or sent as a study is never run."""

import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from panecho_model.checkpoint_files import read_tensors
from panecho_model.errors import CheckpointError
from panecho_preprocessing import ClipOptions, NoUsableVideoError, preprocess_study


class Payload:
    """Pickled, it makes a folder when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.mark,)


def zipped(payload: Payload) -> bytes:
    """As torch.save writes today."""
    file = io.BytesIO()
    torch.save({"weights": {"a": payload}}, file)
    return file.getvalue()


def legacy(payload: Payload) -> bytes:
    """As torch.save wrote before 1.6."""
    file = io.BytesIO()
    torch.save({"weights": {"a": payload}}, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def beside_tensors(payload: Payload) -> bytes:
    file = io.BytesIO()
    torch.save({"weights": {"a": torch.zeros(2)}, "optimizer": payload}, file)
    return file.getvalue()


def bare(payload: Payload) -> bytes:
    return pickle.dumps({"weights": {"a": payload}})


HOSTILE = [zipped, legacy, beside_tensors, bare]


def load_trustingly(path: Path) -> None:
    """What the loading of a checkpoint would do without the check."""
    if path.read_bytes().startswith(b"PK") or path.name == "legacy.pt":
        torch.load(path, weights_only=False)
    else:
        pickle.loads(path.read_bytes())  # noqa: S301 - that is what is shown


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # torch's own, before it refuses
@pytest.mark.parametrize("make", HOSTILE)
def test_code_in_a_checkpoint_is_not_run(
    make: Callable[[Payload], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, mark = tmp_path / f"{make.__name__}.pt", tmp_path / "code was run"
    path.write_bytes(make(Payload(mark)))
    load_trustingly(path)
    assert mark.is_dir(), "the file is not hostile, and shows nothing"
    mark.rmdir()
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # it must not undo what the code says

    with pytest.raises(CheckpointError, match="cannot be read as a PyTorch checkpoint of tensors alone") as refused:
        read_tensors(path)

    assert not mark.exists()
    assert str(path) in str(refused.value)
    assert "weights_only" not in str(refused.value)


@pytest.mark.filterwarnings("ignore:.*looks like a TorchScript archive")  # torch's own, before it refuses
def test_torchscript_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "panecho.pt"
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(path))  # type: ignore[no-untyped-call] # torch ships no type for it

    with pytest.raises(CheckpointError, match="cannot be read as a PyTorch checkpoint of tensors alone"):
        read_tensors(path)


@pytest.mark.slow
def test_a_hostile_checkpoint_makes_no_export(tmp_path: Path) -> None:
    path, mark, target = tmp_path / "panecho.pt", tmp_path / "code was run", tmp_path / "model_repository"
    path.write_bytes(zipped(Payload(mark)))
    panecho = Path(sys.executable).with_name("panecho")
    command = [str(panecho), "export", "--checkpoint", str(path), "--model-repository", str(target)]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 1
    assert "panecho.pt: cannot be read as a PyTorch checkpoint of tensors alone (UnpicklingError)." in done.stderr
    assert "Traceback" not in done.stderr
    assert not mark.exists()
    assert not target.exists()


@pytest.mark.parametrize("make", HOSTILE)
def test_a_pickle_sent_as_a_study_is_not_run(make: Callable[[Payload], bytes], tmp_path: Path) -> None:
    mark = tmp_path / "code was run"
    content = np.frombuffer(make(Payload(mark)), np.uint8)

    with pytest.raises(NoUsableVideoError, match="NOT_A_VIDEO"):
        preprocess_study(content, np.array([len(content)], np.int64), ClipOptions(), max_clips=64, threads=1)

    assert not mark.exists()
