"""Measures how long a supervised server takes to recover from each fault, with callers at work all the while.

python -m benchmarks.recovery [--rounds 3] [--callers 3] [--model-repository PATH]

In each round a separate `panecho serve` meets every fault in turn. Prints medians and the worst, and writes
benchmarks/results/recovery.json and .md.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from load_tests.embedded.serving import served_repository
from rich.console import Console
from rich.progress import track

from benchmarks.cines import describe_clips
from benchmarks.machine import describe_machine
from panecho_client import ClipOptions, Connection, PanEcho, PanEchoError
from panecho_server.ports import free_port

CINE = Path(__file__).parents[1] / "tests/data/sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm"
RESULTS = Path(__file__).parent / "results/recovery"
SAMPLING = ClipOptions(num_clips=1)
READY, READY_AGAIN, DEAD = "Ctrl-C stops it", "ready again", "starting the server again"
LIMIT = 180.0
SETTLE = 3.0
FAULTS: Mapping[str, tuple[str, int]] = {
    "preprocessing killed": ("preprocessing", signal.SIGKILL),
    "backbone killed": ("backbone", signal.SIGKILL),
    "postprocessing killed": ("postprocessing", signal.SIGKILL),
    "backbone stopped": ("backbone", signal.SIGSTOP),
    "tritonserver killed": ("tritonserver", signal.SIGKILL),
}
"""Whose process gets which signal."""


@dataclass(frozen=True)
class Recovery:
    """What one fault did.

    Attributes:
        noticed: Seconds until the supervisor said so.
        ready: Seconds until every model was ready again.
        longest: Seconds that the slowest request took that was sent before or during it.
        answers: To requests in progress at the fault or sent in its course.
        failed: Of those requests that ended with an error.
    """

    noticed: float
    ready: float
    longest: float
    answers: int
    failed: int


@dataclass(frozen=True)
class Call:
    """A request of a caller: when it began and ended, and whether with an answer."""

    begin: float
    end: float
    good: bool


class Serve:
    """A `panecho serve` in a separate process."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.grpc_url = f"127.0.0.1:{free_port()}"
        self._output = folder / "output"
        ports = [f"--grpc-port={self.grpc_url.rpartition(':')[2]}", "--http-port=0", "--metrics-port=0"]
        files = [f"--model-repository={repository}", f"--log-file={folder / 'log'}"]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [Path(sys.executable).with_name("panecho"), "serve", *files, *ports], stdout=output, stderr=output
            )

    def says(self, text: str) -> int:
        """Return how often it has printed a text."""
        return self._output.read_text().count(text)

    def pid(self, name: str) -> int:
        """Return the process of a Python model, or that of tritonserver."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            if name == process.name() or f"/{name}/1/" in " ".join(process.cmdline()):
                return process.pid
        raise RuntimeError(f"no process of {name}: {self._output.read_text()}")


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callers", type=int, default=3)
    parser.add_argument("--model-repository", type=Path, help="made with stand-in weights when left out")
    arguments = parser.parse_args()
    found: dict[str, list[Recovery]] = {name: [] for name in FAULTS}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        repository = served_repository(arguments.model_repository, Console(stderr=True))
        for _ in range(arguments.rounds):
            with _serve(repository, folder) as serve:
                for name in track(FAULTS, "Breaking", console=Console(stderr=True)):
                    found[name].append(_recovery(serve, *FAULTS[name], arguments.callers))
    _report(found)
    return 0


@contextmanager
def _serve(repository: Path, folder: Path) -> Iterator[Serve]:
    serve = Serve(repository, folder)
    try:
        _wait(lambda: serve.says(READY) > 0, serve)
        yield serve
    finally:
        serve.process.send_signal(signal.SIGINT)
        serve.process.wait(LIMIT)


def _recovery(serve: Serve, victim: str, number: int, callers: int) -> Recovery:
    """Break something while callers are at work; return what became of it."""
    ended = False
    dead, ready = serve.says(DEAD) + 1, serve.says(READY_AGAIN) + 1
    with ThreadPoolExecutor(callers) as pool:
        futures = [pool.submit(_calls, serve.grpc_url, lambda: ended) for _ in range(callers)]
        time.sleep(SETTLE)
        psutil.Process(serve.pid(victim)).send_signal(number)
        broken = time.time()
        noticed = _wait(lambda: serve.says(DEAD) >= dead, serve) - broken
        healthy = _wait(lambda: serve.says(READY_AGAIN) >= ready, serve) - broken
        time.sleep(SETTLE)
        ended = True
        calls = [call for future in futures for call in future.result()]
    during = [call for call in calls if call.end > broken and call.begin < broken + healthy]
    return Recovery(
        noticed,
        healthy,
        max(call.end - call.begin for call in during),
        len(during),
        sum(not call.good for call in during),
    )


def _calls(grpc_url: str, ended: Callable[[], bool]) -> list[Call]:
    """Predict again and again, as an application does."""
    calls = []
    with PanEcho(Connection(url=grpc_url, timeout=LIMIT)) as panecho:
        while not ended():
            begin = time.time()
            try:
                panecho.predict_study(CINE, clip_options=SAMPLING)
                good = True
            except PanEchoError:
                good = False
            calls.append(Call(begin, time.time(), good))
    return calls


def _wait(happened: Callable[[], bool], serve: Serve) -> float:
    """Return when something has happened."""
    deadline = time.monotonic() + LIMIT
    while not happened():
        if time.monotonic() > deadline or serve.process.poll() is not None:
            raise RuntimeError("`panecho serve` ended, or took too long.")
        time.sleep(0.02)
    return time.time()


def _report(found: Mapping[str, list[Recovery]]) -> None:
    machine = describe_machine()
    rows = [_row(name, recoveries) for name, recoveries in found.items()]
    heads = "| fault | noticed after, s | ready again after, s | longest wait, s | requests | failed |"
    about = ", ".join(f"{name} {value}" for name, value in machine.items())
    text = "\n".join(
        [
            "# Recovery",
            "",
            "`python -m benchmarks.recovery`: medians over the rounds; the longest wait is the worst of all.",
            f"Requests are those in progress at the fault or sent in its course. {describe_clips(SAMPLING)}",
            f"Machine: {about}.",
            "",
            heads,
            "|---" * 6 + "|",
            *rows,
        ]
    )
    RESULTS.with_suffix(".md").write_text(text + "\n")
    figures = {name: [asdict(recovery) for recovery in recoveries] for name, recoveries in found.items()}
    RESULTS.with_suffix(".json").write_text(json.dumps({"machine": machine, "faults": figures}, indent=1) + "\n")
    Console(soft_wrap=True).print(text)


def _row(name: str, recoveries: list[Recovery]) -> str:
    medians = [statistics.median(getattr(recovery, field) for recovery in recoveries) for field in ("noticed", "ready")]
    longest = max(recovery.longest for recovery in recoveries)
    answers = sum(recovery.answers for recovery in recoveries)
    failed = sum(recovery.failed for recovery in recoveries)
    numbers = [f"{value:.1f}" for value in [*medians, longest]]
    return f"| {name} | {' | '.join(numbers)} | {answers} | {failed} |"


if __name__ == "__main__":
    sys.exit(main())
