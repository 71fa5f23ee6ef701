"""The forms in which weights are passed on, and what is often saved in their place."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from panecho_model.checkpoint_files import read_tensors
from panecho_model.errors import CheckpointError

TENSORS = {"EF_head.1.weight": torch.arange(4.0).reshape(1, 4), "EF_head.1.bias": torch.ones(1)}


def prefixed(prefix: str) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in TENSORS.items()}


FORMS: dict[str, object] = {
    "released": {"weights": TENSORS},
    "with an optimizer": {"weights": TENSORS, "optimizer": {"state": {0: {"step": torch.ones(1)}}, "param_groups": []}},
    "bare": TENSORS,
    "lightning": {"epoch": 3, "state_dict": TENSORS},
    "data parallel": {"weights": prefixed("module.")},
    "compiled": prefixed("_orig_mod."),
    "both": prefixed("module._orig_mod."),
    "half": {"weights": {name: tensor.half() for name, tensor in TENSORS.items()}},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read(form: str, tmp_path: Path) -> None:
    torch.save(FORMS[form], tmp_path / "panecho.pt")
    found = read_tensors(tmp_path / "panecho.pt")
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name].float(), tensor) for name, tensor in TENSORS.items())


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "panecho.safetensors")
    assert torch.equal(read_tensors(tmp_path / "panecho.safetensors")["EF_head.1.weight"], TENSORS["EF_head.1.weight"])
    (tmp_path / "bad.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0not JSON at all!")
    with pytest.raises(CheckpointError, match="cannot be read as safetensors"):
        read_tensors(tmp_path / "bad.safetensors")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda _: b"", "the file is empty"),
        (
            lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n",
            "Git LFS pointer.*git lfs pull",
        ),
        (lambda _: b"\n<!DOCTYPE html><html>", "is a web page"),
        (cut, r"is cut off after \d+ bytes"),
        (lambda _: b"plain text", "cannot be read as a PyTorch checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_named(change: Callable[[bytes], bytes], text: str, tmp_path: Path) -> None:
    path = tmp_path / "panecho.pt"
    torch.save({"weights": TENSORS}, path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match=text):
        read_tensors(path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"epoch": 3, "best": 0.5}, r"holds a dictionary of 'epoch', 'best' and no dictionary of tensors"),
        (torch.ones(3), "holds a Tensor"),
        ({}, "holds a dictionary of"),
    ],
)
def test_other_content_is_named(content: object, text: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "panecho.pt")
    with pytest.raises(CheckpointError, match=text):
        read_tensors(tmp_path / "panecho.pt")
