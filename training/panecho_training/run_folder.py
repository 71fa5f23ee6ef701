"""The folder of a run: what is written there, whole or not at all, and what of it a resumed run needs."""

import csv
import io
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from panecho_model.checkpoint_record import RECORD, CheckpointRecord
from panecho_training.errors import RunError
from panecho_training.recipe import Recipe

__all__ = ["RunFolder"]

STATE = "state.pt"


@dataclass(frozen=True)
class RunFolder:
    """A run's files.

    - ``best.pt`` and ``last.pt``: checkpoints as released, with the tasks; ``state.pt``: what ``--resume`` needs
    - ``recipe.yaml``: every setting; ``history.csv``: a row per epoch; ``log.jsonl``: events; ``curves.html``
    - ``model-card.md``, ``metrics.json``, ``predictions-test.csv``: how good the best epoch is
    """

    path: Path

    def start(self, recipe: Recipe, *, resume: bool) -> None:
        """Make the folder, or check that it can be resumed. An existing run is never deleted.

        Raises:
            RunError: It holds a run, or cannot be made.
        """
        if (self.path / STATE).is_file() and not resume:
            raise RunError(f"{self.path} holds a run; go on with --resume, or name another --output.")
        if not resume and self.path.is_dir() and any(self.path.iterdir()):
            raise RunError(f"{self.path} is not empty; name another --output.")
        self.path.mkdir(parents=True, exist_ok=True)
        self.write("recipe.yaml", recipe.to_yaml())

    def write(self, name: str, text: str) -> Path:
        """Write a text file, whole or not at all."""
        return self._whole(name, lambda path: path.write_text(text, encoding="utf-8"))

    def log(self, event: str, **values: object) -> None:
        """Add a line to ``log.jsonl``."""
        entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": event} | values
        try:
            with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise self._error("log.jsonl", error) from None

    def write_history(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Write ``history.csv``, one row per epoch."""
        columns = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write("history.csv", text.getvalue())

    def save_checkpoint(self, name: str, tensors: Mapping[str, torch.Tensor], record: CheckpointRecord) -> Path:
        """Write a checkpoint as released, with its record."""
        return self._save(name, {"weights": dict(tensors), RECORD: record.to_json()})

    def save_state(self, state: Mapping[str, Any]) -> Path:
        """Write what a resumed run needs."""
        return self._save(STATE, dict(state))

    def save_embeddings(self, embeddings: Mapping[str, NDArray[np.float32]]) -> Path:
        """Write the embeddings of each split's videos, in the order of the table."""
        return self._whole("embeddings.npz", lambda path: _save_arrays(path, embeddings))

    def load_state(self) -> dict[str, Any]:
        """Return what ``save_state`` wrote.

        Raises:
            RunError: There is none, or it cannot be read.
        """
        path = self.path / STATE
        if not path.is_file():
            raise RunError(f"{self.path} holds no run to resume; leave --resume out to start one.")
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 - plain
        except Exception as error:
            raise RunError(f"{path} cannot be read ({type(error).__name__}); start another run.") from error
        return state

    def _save(self, name: str, content: object) -> Path:
        return self._whole(name, lambda path: torch.save(content, path))

    def _whole(self, name: str, write: Callable[[Path], object]) -> Path:
        """Write a file under another name, then give it its own."""
        path, part = self.path / name, self.path / f".{name}.part"
        try:
            write(part)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
        except (OSError, RuntimeError) as error:  # torch says RuntimeError when a disk is full
            part.unlink(missing_ok=True)
            raise self._error(name, error) from None
        return path

    def _error(self, name: str, error: Exception) -> RunError:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0][:200]
        return RunError(
            f"{self.path / name} cannot be written: {reason}. What was there before is whole; make room, then go "
            "on with --resume."
        )


def _save_arrays(path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)
