"""Compares ways from a folder to a study's report: 40 mixed cines, one clip of each, seconds and memory.

python -m benchmarks.whole_study [--rounds 3] [--cines 40] [--model-repository PATH]

In every round, in turn: ours with a server (`predict_study` and the HTML report), ours in one process (`open_local`),
the obvious script (pydicom, OpenCV, the eager model, the mean of all logits), and the same model behind FastAPI, asked
file by file by four callers. Memory is the most that the processes of each hold while they work; pages that they share
are counted once. Writes JSON and a table into benchmarks/results.
"""

import argparse
import atexit
import json
import statistics
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from load_tests.embedded.process_monitor import ProcessMonitor
from load_tests.embedded.serving import serving
from rich.console import Console

from benchmarks.cines import describe_clips
from benchmarks.fastapi_service import FastApiService, fastapi_service
from benchmarks.machine import describe_machine
from benchmarks.mixed_study import sizes, write_mixed_study
from benchmarks.obvious import Obvious
from benchmarks.separate_process import SeparateProcess
from benchmarks.timing import Times, in_turn
from panecho_client import ClipOptions, PanEcho
from panecho_client.outputs import identify, render_html
from panecho_local import open_local

RESULTS = Path(__file__).parent / "results"
OPTIONS = ClipOptions(num_clips=1)
CALLERS = 4
SCRIPT = "script"


@dataclass(frozen=True)
class Way:
    """A way from the folder to the report.

    Attributes:
        pid: The process that does the work, with its children.
        call: Does it once.
    """

    pid: int
    call: Callable[[], object]


def main() -> int:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cines", type=int, default=40)
    parser.add_argument("--model-repository", type=Path, help="exported with --stand-in 0; made when left out")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        with console.status("Writing the study"):
            paths = write_mixed_study(folder, arguments.cines)
        server = opened.enter_context(serving(arguments.model_repository, console))
        local = opened.enter_context(SeparateProcess(local_way, folder))
        script = opened.enter_context(SeparateProcess(script_way, paths))
        fastapi = opened.enter_context(fastapi_service())
        ways = {
            "ours, with a server": Way(
                server.pid or 0, report_of(opened.enter_context(PanEcho(server.grpc_url)), folder)
            ),
            "ours, in one process": Way(local.pid, local),
            SCRIPT: Way(script.pid, script),
            f"FastAPI, {CALLERS} callers": Way(fastapi.pid, lambda: _asked(fastapi, paths)),
        }
        console.print(f"Measuring {len(ways)} ways, {arguments.rounds} rounds")
        _write(*_measure(ways, arguments.rounds), sizes(paths), arguments.rounds)
    return 0


def report_of(panecho: PanEcho, folder: Path) -> Callable[[], object]:
    """Return a call that predicts the study and renders its report."""

    def call() -> int:
        study = panecho.predict_study(folder, clip_options=OPTIONS)
        statuses = {video.status for video in study.videos}
        if statuses != {"ok"}:
            raise SystemExit(f"not all cines were used: {statuses}")
        return len(render_html(study, identify(study)))

    return call


def local_way(folder: Path) -> Callable[[], object]:
    """Return ours in one process; its model stays loaded as long as the process."""
    opened = ExitStack()
    atexit.register(opened.close)
    return report_of(opened.enter_context(open_local(stand_in=0)), folder)


def script_way(paths: list[Path]) -> Callable[[], object]:
    """Return the obvious script."""
    obvious = Obvious()
    return lambda: np.mean([obvious.predict(path.read_bytes()) for path in paths], axis=0)


def _asked(fastapi: FastApiService, paths: list[Path]) -> object:
    with ThreadPoolExecutor(CALLERS) as pool:
        return np.mean(list(pool.map(lambda path: fastapi.predict(path.read_bytes()), paths)), axis=0)


def _measure(ways: Mapping[str, Way], rounds: int) -> tuple[dict[str, Times], dict[str, float]]:
    memory = dict.fromkeys(ways, 0.0)

    def watched(name: str, way: Way) -> Callable[[], object]:
        def call() -> None:
            with ProcessMonitor(way.pid, 0.5) as monitor:
                way.call()
            memory[name] = max(memory[name], *(holding.memory for holding in monitor.holdings), 0.0)

        return call

    return in_turn({name: watched(name, way) for name, way in ways.items()}, rounds), memory


def _write(times: Mapping[str, Times], memory: Mapping[str, float], content: Mapping[str, float], rounds: int) -> None:
    machine = describe_machine()
    rows = [
        {
            "way": name,
            "seconds": time.median,
            "fastest": min(time.seconds),
            "memory_mib": memory[name],
            "times_as_fast_as_the_script": statistics.median(times[SCRIPT].ratios(time)),
        }
        for name, time in times.items()
    ]
    results = {"machine": machine, "rounds": rounds, "megabytes": content, "rows": rows}
    (RESULTS / "whole_study.json").write_text(json.dumps(results, indent=2) + "\n")
    files = ", ".join(f"{kind} {megabytes:.0f} MB" for kind, megabytes in content.items())
    lines = [
        "# A whole study: from the folder to the report",
        "",
        "    python -m benchmarks.whole_study",
        "",
        "; ".join(f"{name}: {value}" for name, value in machine.items()) + ".",
        f"{rounds} interleaved rounds, medians; one clip of each cine. The study: {files}.",
        describe_clips(OPTIONS),
        "",
        "| way | s | fastest | times as fast as the script | MiB |",
        "|---|---|---|---|---|",
        *(
            f"| {row['way']} | {row['seconds']:.1f} | {row['fastest']:.1f} "
            f"| {row['times_as_fast_as_the_script']:.2f} | {row['memory_mib']:.0f} |"
            for row in rows
        ),
    ]
    text = "\n".join(lines) + "\n"
    (RESULTS / "whole_study.md").write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    sys.exit(main())
