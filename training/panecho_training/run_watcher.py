"""Sees a run: writes its files, shows its progress, and notices when it is to stop."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from panecho_model.checkpoint_record import CheckpointRecord
from panecho_training.curves import render_curves
from panecho_training.ranks import Ranks
from panecho_training.recipe import Recipe
from panecho_training.released_tensors import released_tensors
from panecho_training.run_folder import RunFolder
from panecho_training.run_parts import Progress as RunProgress
from panecho_training.run_parts import Trained

__all__ = ["RunWatcher", "StopSignal", "stop_signal"]


class StopSignal:
    """Whether somebody asked the run to stop: Ctrl-C, or SIGTERM as a cluster sends it before it takes a machine."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Take note of a signal."""
        self.asked = True


@contextmanager
def stop_signal() -> Iterator[StopSignal]:
    """Turn SIGINT and SIGTERM into a note; a second Ctrl-C ends at once."""
    stop = StopSignal()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class RunWatcher:
    """Writes what a trainer does.

    Attributes:
        folder: Of the run.
        recipe: Settings.
        ranks: Only the first process writes and shows.
        identity: Of table and settings, for ``--resume``.
        record: Returns the record of a checkpoint, of the epoch's numbers.
        kept: Heads that are saved as they came.
        stop: Whether somebody asked to stop.
        console: Where progress is shown.
        tensorboard: Whether to write events for TensorBoard.
    """

    folder: RunFolder
    recipe: Recipe
    ranks: Ranks
    identity: dict[str, Any]
    record: Callable[[dict[str, Any]], CheckpointRecord]
    kept: dict[str, Any]
    stop: StopSignal
    console: Console
    tensorboard: bool = False
    _started: float = field(default_factory=time.monotonic)
    _clips: int = 0

    def __post_init__(self) -> None:
        """Make the line of progress."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._task = self._bar.add_task("Training", total=None)
        self._writer: Any = None
        if self.tensorboard and self.ranks.is_first:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra

            self._writer = SummaryWriter(self.folder.path / "tensorboard")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show progress while the run goes on."""
        if not self.ranks.is_first:
            yield
            return
        with self._bar:
            yield

    def step(self, progress: RunProgress, steps: int, loss: float, clips: int) -> None:
        """Show an update: clips a second, loss, time left."""
        self._clips += clips
        speed = self._clips / max(time.monotonic() - self._started, 1e-9)
        about = f"Epoch {progress.epoch + 1}/{self.recipe.epochs}  loss {loss:.4f}  {speed:.1f} clips/s"
        done, total = progress.epoch * steps + progress.step, self.recipe.epochs * steps
        self._bar.update(self._task, description=about, completed=done, total=total)
        if self._writer is not None:
            self._writer.add_scalar("loss/update", loss, done)

    def epoch(self, trainer: Trained, row: dict[str, Any], *, best: bool) -> None:
        """Write history, curves and checkpoints of an epoch."""
        seconds = time.monotonic() - self._started
        if self.ranks.is_first:
            tensors = released_tensors(trainer.trained) | self.kept
            record = self.record(row)
            if best:
                self.folder.save_checkpoint("best.pt", tensors, record)
            self.folder.save_checkpoint("last.pt", tensors, record)
            history = trainer.progress.history
            self.folder.write_history(history)
            self.folder.write("curves.html", render_curves(self.recipe.name, history))
            speed = self._clips / max(seconds, 1e-9)
            self.folder.log("epoch", **row, best=best, seconds=round(seconds, 2), clips_per_second=round(speed, 2))
            self._tell(row, speed, best=best)
            self._write_events(row)
        self.save(trainer)
        self._started, self._clips = time.monotonic(), 0

    def stop_asked(self) -> bool:
        """Tell whether somebody asked to stop."""
        return self.stop.asked

    def save(self, trainer: Trained) -> None:
        """Save what a resumed run needs."""
        if self.ranks.is_first:
            self.folder.save_state(self.identity | {"trainer": trainer.state()})
        self.ranks.wait()

    def _tell(self, row: dict[str, Any], speed: float, *, best: bool) -> None:
        numbers = [f"loss {row['train_loss']:.4f}"]
        numbers += [f"{name} {row[name]:.4f}" for name in ("val_loss", "val_score") if name in row]
        text = f"Epoch {row['epoch']}: {', '.join(numbers)}, {speed:.1f} clips/s{', best so far' if best else ''}"
        self.console.print(text, markup=False)

    def _write_events(self, row: dict[str, Any]) -> None:
        if self._writer is not None:
            for name, value in row.items():
                self._writer.add_scalar(f"epoch/{name}", value, row["epoch"])
            self._writer.flush()


def resume_faults(saved: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what differs between the run that is resumed and what was asked for."""
    faults = []
    if saved.get("table") != now["table"]:
        faults.append("the table of videos has changed since the run began")
    if saved.get("init") != now["init"]:
        faults.append(f"the run began with --init {saved.get('init')}, not {now['init']}")
    before, after = json.loads(saved.get("recipe", "{}")), json.loads(now["recipe"])
    faults += [
        f"{name} was {before.get(name)!r} and is {after.get(name)!r}"
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]
    return faults
