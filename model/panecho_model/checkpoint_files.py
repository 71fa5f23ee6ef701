"""Reads the tensors of a checkpoint file in any of the forms in which PanEcho's weights are passed on.

These are ``{"weights": …}`` as released, the same with an optimizer as PanEcho's training writes, a bare
``state_dict``, names after ``module.`` or ``_orig_mod.`` (DistributedDataParallel, ``torch.compile``), half precision
and ``.safetensors``.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from panecho_model.checkpoint_record import RECORD, CheckpointRecord, checkpoint_path
from panecho_model.errors import CheckpointError

ADVICE = "Give the path of PanEcho's released checkpoint (panecho.pt)."
WRAPPERS = ("weights", "state_dict", "model_state_dict", "model")
PREFIX = re.compile(r"(module\.|_orig_mod\.)+")

_GIT_LFS = b"version https://git-lfs.github.com/spec/"
_ZIP = b"PK\x03\x04"
_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 2**16 + 22


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint file by their released names, on the CPU.

    Raises:
        CheckpointError: The file is missing, is something else than a checkpoint of tensors alone, or is cut off.
    """
    return read_checkpoint(path)[0]


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], CheckpointRecord]:
    """Return the tensors of a checkpoint file by their released names, on the CPU, and its record.

    A file without a record is a release. ``RUN/best`` names ``RUN/best.pt``.

    Raises:
        CheckpointError: As ``read_tensors``; or the record is damaged.
    """
    path = checkpoint_path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file. {ADVICE}")
    _require_checkpoint(path)
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    tensors = _unwrapped(content, path)
    record = content.get(RECORD) if isinstance(content, dict) else None
    named = {PREFIX.sub("", name, count=1) if PREFIX.match(name) else name: value for name, value in tensors.items()}
    return named, CheckpointRecord.from_json(record) if isinstance(record, str) else CheckpointRecord()


def _require_checkpoint(path: Path) -> None:
    """Name what is often saved in a checkpoint's place."""
    with path.open("rb") as file:
        start = file.read(512)
        file.seek(max(path.stat().st_size - _ZIP_END_BYTES, 0))
        end = file.read()
    if not start:
        raise CheckpointError(f"{path}: the file is empty; copy or download it again. {ADVICE}")
    if start.startswith(_GIT_LFS):
        raise CheckpointError(f"{path}: is a Git LFS pointer, not the weights; run `git lfs pull` where it was cloned.")
    if start.lstrip()[:1] == b"<":
        raise CheckpointError(f"{path}: is a web page, not the weights; download the file behind the page's link.")
    if start.startswith(_ZIP) and _ZIP_END not in end:
        size = path.stat().st_size
        raise CheckpointError(f"{path}: is cut off after {size} bytes; copy or download it again. {ADVICE}")


def _read_torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 - tensors and plain containers
    except Exception as error:
        # Only the class: torch's own text advises to load without the check, which runs code that the file holds.
        raise CheckpointError(
            f"{path}: cannot be read as a PyTorch checkpoint of tensors alone ({type(error).__name__}). {ADVICE}"
        ) from error


def _read_safetensors(path: Path) -> object:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: cannot be read as safetensors ({error}); copy or download it again.") from error


def _unwrapped(content: object, path: Path) -> Mapping[str, Tensor]:
    """Return the dictionary of tensors: the file's content itself, or what it holds under a usual name."""
    if isinstance(content, dict):
        for candidate in (*(content.get(name) for name in WRAPPERS), content):
            if isinstance(candidate, dict) and candidate and all(map(_is_tensor, candidate.items())):
                return candidate
    kind = type(content).__name__
    holds = f"a dictionary of {', '.join(map(repr, list(content)[:5]))}" if isinstance(content, dict) else f"a {kind}"
    raise CheckpointError(
        f"{path}: holds {holds} and no dictionary of tensors; the released format is {{'weights': {{name: tensor}}}}."
    )


def _is_tensor(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)
