"""Exports that take a few seconds: a whole one takes ten, most of it to compare its models with the eager one."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch.jit import ScriptModule

from panecho_export import validation

CONFIG = "panecho/config.pbtxt"
TASKS = "postprocessing/1/tasks.json"
MODEL = "backbone/1/model.pt"
STUDY = ("panecho", "preprocessing", "backbone", "postprocessing")


@contextmanager
def one_clip_compared() -> Iterator[None]:
    """Compare exported models with the eager one on one clip of two frames; test_repository compares on all clips."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "GENERATED_CLIPS", ((1, 2),))
        yield


def copy_export(source: Path, target: Path, models: tuple[str, ...] = STUDY) -> Path:
    """Copy models of an export without copying their content: use ``edit`` and ``change_model`` on the copy."""
    for model in models:
        shutil.copytree(source / model, target / model, copy_function=os.link)
    return target


def edit(path: Path, old: str, new: str, count: int = 1) -> None:
    """Replace ``old`` in a file where it stands first, in ``count`` places; everywhere for -1."""
    text = path.read_text()
    assert old in text, f"{path}: no {old!r}"
    path.unlink()  # it may be a link to a file that others read
    path.write_text(text.replace(old, new, count))


def change_model(repository: Path, change: Callable[[ScriptModule], None]) -> None:
    """Write the backbone again with other parameters."""
    module = torch.jit.load(repository / MODEL)  # type: ignore[no-untyped-call] # torch ships no type for it
    with torch.no_grad():
        change(module)
    (repository / MODEL).unlink()
    module.save(str(repository / MODEL))
