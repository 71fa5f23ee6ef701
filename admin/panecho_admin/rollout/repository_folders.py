"""The folders of a rollout: the served repository, the next one and the previous one."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from google.protobuf.json_format import MessageToJson  # type: ignore[import-untyped]  # protobuf ships no types
from google.protobuf.text_format import MessageToString  # type: ignore[import-untyped]  # as above

from panecho_admin.rollout.exported_repository import MODELS, VERSION, Export, config_files, read_config
from panecho_client import FilesError, RequestError
from panecho_client.triton import ENSEMBLE, ModelConfig

NEXT = "_next"
"""Ends the names under which the models of the next export are loaded next to those that are served."""


def renamed(config: ModelConfig) -> ModelConfig:
    """Return a model's configuration under its next name; an ensemble is made of next models then."""
    changed = ModelConfig()
    changed.CopyFrom(config)
    changed.name += NEXT
    return with_next_steps(changed)


def with_next_steps(config: ModelConfig) -> ModelConfig:
    """Return the configuration of an ensemble, made of next models. Others stay as they are."""
    changed = ModelConfig()
    changed.CopyFrom(config)
    for step in changed.ensemble_scheduling.step:
        step.model_name += NEXT
    return changed


def uses_next(config: ModelConfig) -> bool:
    """Tell whether an ensemble is made of next models."""
    return any(step.model_name.endswith(NEXT) for step in config.ensemble_scheduling.step)


class Folders:
    """A served repository and its siblings: ``REPOSITORY.next`` while it is changed, ``REPOSITORY.previous`` after it.

    Args:
        served: The repository that the server reads.

    Raises:
        FilesError: It cannot be replaced.
    """

    def __init__(self, served: Path) -> None:
        self.served = served.resolve()
        self.next = self.served.with_name(f"{self.served.name}.next")
        self.previous = self.served.with_name(f"{self.served.name}.previous")
        self._older = self.served.with_name(f"{self.served.name}.older")
        self._lock = self.served.with_name(f"{self.served.name}.lock")
        if self.served.is_mount():
            raise FilesError(
                f"{self.served} is a mount point and cannot be replaced; mount the folder that holds it.",
                paths=[self.served],
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one change at a time pass.

        Raises:
            RequestError: Another is in progress.
            FilesError: The folder that holds the repository cannot be written.
        """
        try:
            with self._lock.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
        except BlockingIOError:
            raise RequestError(f"{self.served} is being changed by another `panecho models`; wait for it.") from None
        except OSError as error:
            raise FilesError(
                f"{error.filename or self.served}: {error.strerror or error}; the folder that holds {self.served.name} "
                "must be writable, with room for two more exports.",
                paths=[self.served],
            ) from None

    def tidy(self) -> None:
        """Remove what a change needs while it is in progress. One that was killed while it swapped folders is ended."""
        if not self.served.exists() and self.next.exists():
            self.next.rename(self.served)
        if not self.previous.exists() and self._older.exists():
            self._older.rename(self.previous)
        for path in (self.next, self._older, *self._staged()):
            shutil.rmtree(path, ignore_errors=True)

    def stage(self, export: Export) -> None:
        """Copy an export's models next to those that are served, under their next names, and whole as the next folder.

        Other models of the served repository become part of the next folder too.
        """
        for model in export.models:
            staged = self.served / f"{model}{NEXT}"
            _copy(export.folder / model, staged)
            for path in config_files(staged):
                path.write_text(MessageToString(renamed(read_config(path))), encoding="utf-8")
        staged_names = {path.name for path in self._staged()}
        for path in self.served.iterdir():
            if path.name not in staged_names:
                _copy((export.folder if path.name in export.models else self.served) / path.name, self.next / path.name)

    def next_ensemble(self) -> str:
        """Return, as JSON, the configuration with which the ensemble's own name leads to the next models."""
        config = with_next_steps(read_config(self.next / ENSEMBLE / "config.pbtxt"))
        return str(MessageToJson(config, preserving_proto_field_name=True))

    def swap(self) -> None:
        """Make the next folder the served one, and the served one the previous one."""
        for path in self._staged():
            shutil.rmtree(path)
        if self.previous.exists():
            self.previous.rename(self._older)
        self.served.rename(self.previous)
        self.next.rename(self.served)

    def swap_back(self) -> None:
        """Undo ``swap``, as far as it came."""
        if self.previous.exists() and not self.next.exists():
            self.served.rename(self.next)
        if not self.served.exists():
            self.previous.rename(self.served)
        if self._older.exists():
            self._older.rename(self.previous)

    def touch(self, model: str) -> None:
        """Have the server see that a model changed: it loads again only what is newer than what it loaded last."""
        for path in (self.served / model / "config.pbtxt", self.served / model / VERSION):
            os.utime(path)

    def _staged(self) -> list[Path]:
        paths = (self.served / f"{model}{NEXT}" for model in MODELS)
        return [path for path in paths if path.exists()]


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, as of now: times of changes are what the server goes by."""
    target.parent.mkdir(exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copy, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
