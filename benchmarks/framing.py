"""Compares what the framings cost: computing time from the bytes of one file to its clips, in one thread.

python -m benchmarks.framing [FOLDER] [--rounds 21]

FOLDER as for `benchmarks.preprocessing`. `tight` was the default before `masked`; the last column is the median of
`masked` to `tight` within a round. Prints a table and writes benchmarks/results/framing.md.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console

from benchmarks.cines import SampleCine, default_folder, find
from benchmarks.machine import describe_machine
from benchmarks.timing import in_turn
from panecho_preprocessing import ClipOptions, video_clips

FRAMINGS = ("masked", "tight", "published", "whole")
RESULTS = Path(__file__).parent / "results" / "framing.md"
PROGRESS = Console(stderr=True, highlight=False)


def main() -> int:
    """Measure, print the table and write it; return 1 if there is nothing to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=default_folder())
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    cines = find(arguments.folder)
    if not cines:
        PROGRESS.print(f"{arguments.folder} holds none of the known cines.")
        return 1
    cv2.setNumThreads(1)
    text = "\n".join([*_heads(arguments.rounds), *(row for cine in cines for row in _rows(cine, arguments.rounds)), ""])
    RESULTS.write_text(text)
    print(text)  # noqa: T201 - the table
    return 0


def _heads(rounds: int) -> list[str]:
    machine = ", ".join(f"{name} {value}" for name, value in describe_machine().items())
    return [
        "# Framing",
        "",
        f"`python -m benchmarks.framing`: medians of {rounds} interleaved rounds.",
        "Milliseconds of computing from a file's bytes to its clips of 16 frames, in one thread.",
        f"Machine: {machine}.",
        "",
        f"| cine | clips | {' | '.join(f'framing={name}' for name in FRAMINGS)} | masked to tight |",
        "|---" * (3 + len(FRAMINGS)) + "|",
    ]


def _rows(cine: SampleCine, rounds: int) -> Iterator[str]:
    for num_clips in (1, 4):
        PROGRESS.print(f"Measuring {cine.name}, {num_clips} clip(s)")
        times = in_turn(
            {name: _call(cine, framing=name, num_clips=num_clips) for name in FRAMINGS}, rounds, time.process_time
        )
        cells = " | ".join(f"{times[name].median * 1e3:.1f}" for name in FRAMINGS)
        ratio = statistics.median(times["masked"].ratios(times["tight"]))
        yield f"| {cine.name} | {num_clips} | {cells} | {ratio:.2f} |"


def _call(cine: SampleCine, **options: Any) -> Callable[[], object]:  # noqa: ANN401 - options of several types
    chosen = ClipOptions(**options)
    return lambda: video_clips(cine.data, chosen)


if __name__ == "__main__":
    sys.exit(main())
