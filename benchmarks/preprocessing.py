"""Compares ours with pydicom, dcmtk, ffmpeg and OpenCV: from the bytes of one file to its clips.

python -m benchmarks.preprocessing [FOLDER] [--rounds 7]

FOLDER holds the cines that `cines.py` names; without it, they are looked for in shared/data next to the checkout, else
the one in tests/data is used. All variants run in turn, in one run. Unless a table says otherwise they are held to one
CPU, together with the programs that they start. "Times ours" is a ratio within a round: above 1 is slower than ours.
"Peak MB" is what a variant adds to its imports and the file (+ the largest program that it starts), in a process of its
own. "Differs by" is the mean difference of a variant's clips from ours without a mask.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import alternatives
from benchmarks.alternatives import DCMTK, OPENCV, OURS, OURS_UNMASKED, PYDICOM, Variant, variants
from benchmarks.cines import KNOWN, SampleCine, as_video, default_folder, find, repeated
from benchmarks.peak_memory import peak_memory
from benchmarks.timing import Times, describe_ratio, in_turn

_TARGETS = {1: 5.0, 4: 3.0}  # number of clips: how many times as fast as pydicom
_THREADS = (1, 2, 4)
_OUT = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
_PROGRESS = Console(stderr=True, highlight=False)


def main() -> int:
    """Print every table; return 1 if there is nothing to measure."""
    arguments = _arguments()
    found = find(arguments.folder)
    if not found:
        _PROGRESS.print(f"{arguments.folder} holds none of: {', '.join(KNOWN.values())}")
        return 1
    for line in alternatives.missing_tools():
        _OUT.print(line)
    cv2.setNumThreads(1)
    longest = found[-1]
    measured = [*found, as_video(longest, ".avi", "MJPG"), as_video(longest, ".mp4", "mp4v")]
    with one_cpu():
        verdicts = [_compare(cine, clips, arguments.rounds) for cine in measured for clips in _TARGETS]
        _grow_with_frames(longest, arguments.rounds)
    _grow_with_threads(measured, arguments.rounds)
    for verdict in filter(None, verdicts):
        _OUT.print(verdict)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=default_folder())
    parser.add_argument("--rounds", type=int, default=7, help="how often each variant is timed (default: 7)")
    return parser.parse_args()


@contextmanager
def one_cpu() -> Iterator[None]:
    """Hold this process, and the programs that it starts, to one CPU."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _compare(cine: SampleCine, num_clips: int, rounds: int) -> str:
    """Time all variants on one file and print the table; return how the target was met, if there is one."""
    about = f"{cine.frames} frames, {cine.megabytes:.1f} MB, {num_clips} clip(s) of 16"
    title = f"{cine.name}: {about}, {OURS} with framing=auto, one CPU"
    _PROGRESS.print(f"Measuring {title}")
    tried = variants(cine.suffix)
    files = {name: _readable(cine, name) for name in tried}
    times = in_turn({name: _call(variant, files[name], num_clips) for name, variant in tried.items()}, rounds)
    table = _table(title, "ms (min-max)", "videos/s", "MB/s", "times ours (min-max)", "peak MB", "differs by")
    expected = tried[OURS_UNMASKED if OURS_UNMASKED in tried else OURS](cine, num_clips)
    for name, variant in tried.items():
        differs = np.abs(variant(files[name], num_clips).astype(int) - expected).mean()
        peak = peak_memory(name, files[name], num_clips)
        table.add_row(name, *_speeds(cine, times[name], times[OURS]), str(peak), f"{differs:.2f}")
    _OUT.print(table)
    return _verdict(cine, num_clips, times)


def _readable(cine: SampleCine, name: str) -> SampleCine:
    """Give dcmtk a clean copy: it refuses the Acuson cine for an element that has nothing to do with its pixels."""
    return repeated(cine, 1) if name == DCMTK else cine


def _speeds(cine: SampleCine, times: Times, ours: Times) -> tuple[str, str, str, str]:
    each = times.median
    return times.spread(), f"{1 / each:.1f}", f"{cine.megabytes / each:.0f}", describe_ratio(times.ratios(ours))


def _verdict(cine: SampleCine, num_clips: int, times: dict[str, Times]) -> str:
    if PYDICOM not in times or not cine.name.startswith("Acuson"):
        return ""
    named = [name for name in (OURS, OURS_UNMASKED) if name in times]
    ratios = {name: times[PYDICOM].ratios(times[name]) for name in named}
    reached = "; ".join(f"{name}: {describe_ratio(ratios[name])}" for name in named)
    met = statistics.median(ratios[OURS]) >= _TARGETS[num_clips]
    target = f"at least {_TARGETS[num_clips]:g} times as fast as {PYDICOM}"
    return f"Target for {num_clips} clip(s), {target}: {'met' if met else 'MISSED'} ({reached})"


def _grow_with_frames(cine: SampleCine, rounds: int) -> None:
    table = _table("Growth with frames, 1 clip", "frames", "MB", "ms (min-max)", "times ours (min-max)", "peak MB")
    for times_over in (1, 2, 4):
        longer = repeated(cine, times_over)
        _PROGRESS.print(f"Measuring growth: {longer.frames} frames")
        tried = {name: variant for name, variant in variants(".dcm").items() if name in (OURS, PYDICOM)}
        times = in_turn({name: _call(variant, longer, 1) for name, variant in tried.items()}, min(rounds, 5))
        for name in tried:
            measured = times[name].spread(), describe_ratio(times[name].ratios(times[OURS]))
            peak = str(peak_memory(name, longer, 1))
            table.add_row(name, str(longer.frames), f"{longer.megabytes:.1f}", *measured, peak)
    _OUT.print(table)


def _grow_with_threads(measured: list[SampleCine], rounds: int) -> None:
    """Give our threads to ours and OpenCV's to the alternatives that use them."""
    if not alternatives.TAKES_THREADS:
        _OUT.print("Left out: growth with threads, because video_clips takes no threads.")
        return
    columns = [f"{count} thread(s), ms" for count in _THREADS]
    table = _table("Growth with threads", "file", "clips", *columns, f"gain with {_THREADS[-1]}")
    for cine in measured:
        for num_clips in _TARGETS:
            _PROGRESS.print(f"Measuring threads: {cine.name}, {num_clips} clip(s)")
            for name in (OURS, PYDICOM if cine.suffix == ".dcm" else OPENCV):
                times = in_turn({str(count): _threaded(name, cine, num_clips, count) for count in _THREADS}, rounds)
                gain = describe_ratio(times[str(_THREADS[0])].ratios(times[str(_THREADS[-1])]))
                table.add_row(name, cine.name, str(num_clips), *(time.spread() for time in times.values()), gain)
    _OUT.print(table)


def _call(variant: Variant, cine: SampleCine, num_clips: int) -> Callable[[], object]:
    return lambda: variant(cine, num_clips)


def _threaded(name: str, cine: SampleCine, num_clips: int, count: int) -> Callable[[], object]:
    def call() -> None:
        cv2.setNumThreads(count)
        if name == OURS:
            alternatives.ours(cine, num_clips, count)
        else:
            variants(cine.suffix)[name](cine, num_clips)
        cv2.setNumThreads(1)

    return call


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("variant", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


if __name__ == "__main__":
    sys.exit(main())
