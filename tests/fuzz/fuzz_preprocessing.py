"""Feeds broken files to the preprocessing: every one must end in clips or a VideoError, soon, and in little memory.

PYTHONPATH=tests python -m fuzz.fuzz_preprocessing [--count 10000] [--seconds 60] [--seed 0] [--workers 2]
PYTHONPATH=tests python -m fuzz.fuzz_preprocessing --replay build/fuzz/0-1234.bin

It ends after --count inputs or --seconds, whichever comes first, with exit status 1 if any input did harm. Such inputs
are saved with what was done to them. Input i depends on --seed, i and the intact files alone, so --first i --count 1
makes it again.
"""

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from fuzz.mutations import make_input
from fuzz.seeds import ROOT
from fuzz.workers import CallLimits, CallOutcome, Offence, Worker
from panecho_preprocessing import ClipOptions, VideoErrorCode

_PROGRESS = Console(stderr=True, highlight=False)
_KINDS = ("ok", *VideoErrorCode, *Offence)
_MOST_CAUSES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzSettings:
    """What to run, and for how long."""

    seed: int = 0
    first: int = 0
    count: int = 10000
    seconds: float = 60.0
    workers: int = 2
    options: dict[str, int | str] = field(default_factory=lambda: {"num_clips": 1, "clip_length": 2})
    target: str = "fuzz.workers:preprocess"
    limits: CallLimits = field(default_factory=CallLimits)
    folder: Path | None = None


@dataclass(slots=True)
class Summary:
    """What came of all inputs.

    Attributes:
        counts: outcomes by kind.
        causes: exceptions that the package turned into a VideoError, by where they came from.
        slowest: seconds, and the recipe of that input.
        largest: bytes of growth, and the recipe of that input.
        offences: recipe and outcome of every input that did harm.
    """

    counts: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[int, str] = (0, "")
    offences: list[tuple[str, CallOutcome]] = field(default_factory=list)

    def add(self, recipe: str, outcome: CallOutcome) -> None:
        """Count one outcome."""
        self.counts[outcome.kind] += 1
        self.slowest = max(self.slowest, (outcome.seconds, recipe))
        self.largest = max(self.largest, (outcome.grown, recipe))
        if outcome.kind in list(Offence):
            self.offences.append((recipe, outcome))
        elif outcome.detail:
            self.causes[outcome.detail.split(": ")[0]] += 1


def fuzz(settings: FuzzSettings) -> Summary:
    """Run every input, or as many as the time allows."""
    summary, lock = Summary(), threading.Lock()
    indices = _Shared(_indices(settings))
    with _progress() as progress, ThreadPoolExecutor(settings.workers) as pool:
        task = progress.add_task("Fuzzing", total=settings.count, offences=0)
        runs = [
            pool.submit(_run_all, settings, indices, summary, lock, progress, task) for _ in range(settings.workers)
        ]
        try:
            for run in runs:
                run.result()
        finally:
            indices.stop()
    return summary


def replay(file: Path, settings: FuzzSettings) -> CallOutcome:
    """Run one saved input."""
    with Worker(settings.target, settings.options, settings.limits) as worker:
        return worker.run(file.read_bytes())


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz or replay; return 1 if an input did harm."""
    parsed = _parser().parse_args(arguments)
    settings = _settings(parsed)
    if parsed.replay:
        outcome = replay(parsed.replay, settings)
        line = f"{outcome.kind} in {outcome.seconds * 1e3:.0f} ms, grew by {outcome.grown / 1e6:.0f} MB"
        Console(highlight=False).print(f"{line}\n{outcome.detail}", markup=False)
        return int(outcome.kind in list(Offence))
    summary = fuzz(settings)
    _show(summary)
    return int(bool(summary.offences))


class _Shared:
    """An iterator that threads can take from in turn, until it is stopped."""

    def __init__(self, indices: Iterator[int]) -> None:
        self._indices, self._lock, self._stopped = indices, threading.Lock(), False

    def __iter__(self) -> Iterator[int]:
        while True:
            with self._lock:
                index = None if self._stopped else next(self._indices, None)
            if index is None:
                return
            yield index

    def stop(self) -> None:
        """End every thread's iteration."""
        self._stopped = True


def _indices(settings: FuzzSettings) -> Iterator[int]:
    end = time.monotonic() + settings.seconds
    for index in range(settings.first, settings.first + settings.count):
        if time.monotonic() > end:
            return
        yield index


def _run_all(  # noqa: PLR0917  # the threads' common state
    settings: FuzzSettings, indices: _Shared, summary: Summary, lock: threading.Lock, progress: Progress, task: TaskID
) -> None:
    with Worker(settings.target, settings.options, settings.limits) as worker:
        for index in indices:
            made = make_input(settings.seed, index)
            outcome = worker.run(made.data)
            if settings.folder and outcome.kind in list(Offence):
                _save(settings.folder / f"{settings.seed}-{index}.bin", made.data, f"{made.recipe}\n{outcome}\n")
            with lock:
                summary.add(made.recipe, outcome)
                progress.update(task, advance=1, offences=len(summary.offences))


def _save(file: Path, data: bytes, recipe: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    file.with_suffix(".txt").write_text(recipe, encoding="utf-8")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TextColumn("offences: {task.fields[offences]}"), console=_PROGRESS)


def _show(summary: Summary) -> None:
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
    table = Table(title="Outcomes", title_justify="left")
    table.add_column("outcome")
    table.add_column("inputs", justify="right")
    for kind in _KINDS:
        table.add_row(kind, str(summary.counts[kind]))
    out.print(table)
    out.print(f"Slowest: {summary.slowest[0] * 1e3:.0f} ms, {summary.slowest[1]}", markup=False)
    out.print(f"Largest growth: {summary.largest[0] / 1e6:.0f} MB, {summary.largest[1]}", markup=False)
    for place, count in summary.causes.most_common(_MOST_CAUSES):
        out.print(f"Behind a VideoError: {count} x {place}", markup=False)
    for recipe, outcome in summary.offences:
        out.print(f"{outcome.kind}: {recipe}\n{outcome.detail.strip()}", markup=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10000, help="inputs at most (default: 10000)")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds at most (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="another number makes other inputs (default: 0)")
    parser.add_argument("--first", type=int, default=0, help="number of the first input (default: 0)")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time (default: 2)")
    parser.add_argument("--options", type=_options, default="num_clips=1,clip_length=2", help="NAME=VALUE,…")
    parser.add_argument("--limit-seconds", type=float, default=5.0, help="for one input (default: 5)")
    parser.add_argument("--limit-mib", type=int, default=1024, help="growth by one input (default: 1024)")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/fuzz", help="for inputs that do harm")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one saved input and nothing else")
    return parser


def _options(text: str) -> dict[str, int | str]:
    pairs = dict(pair.split("=", 1) for pair in text.split(","))
    options: dict[str, int | str] = {name: int(value) if value.isdigit() else value for name, value in pairs.items()}
    ClipOptions(**options)  # type: ignore[arg-type]  # checks names and values before anything starts
    return options


def _settings(parsed: argparse.Namespace) -> FuzzSettings:
    return FuzzSettings(
        seed=parsed.seed,
        first=parsed.first,
        count=parsed.count,
        seconds=parsed.seconds,
        workers=parsed.workers,
        options=parsed.options,
        limits=CallLimits(seconds=parsed.limit_seconds, memory=parsed.limit_mib << 20),
        folder=parsed.folder,
    )


if __name__ == "__main__":
    sys.exit(main())
