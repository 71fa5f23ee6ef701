r"""Whether Locust and NVIDIA's perf_analyzer measure the same, on the same requests at the same concurrency, in turn.

python -m benchmarks.load_generator.perf_analyzer.agreement \
    --perf-analyzer PATH [--concurrency 1 2 4] [--rounds 2] [--seconds 10]

`fetch`, next to it, gets the program. Prints requests per second and median latencies; the exit status is 1
where the medians of the rounds' throughputs are more than 10 % apart.
"""

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from load_tests.embedded.serving import serving
from load_tests.requests.errors import LoadTestError
from load_tests.requests.payloads import Sending, single_video
from load_tests.run import run_locust
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.load_generator.perf_analyzer.__main__ import input_data, parameters

ALLOWED = 0.1
WINDOWS = 3
"""Measurements that perf_analyzer takes one after another; Locust takes one as long as all of them."""

ANY = "999"
"""Per cent by which its windows may differ: else it stops on a machine that does other work too."""

Figures = tuple[float, float]
"""Requests per second, and the median latency in seconds."""


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--perf-analyzer", type=Path, required=True)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10, help="of each of three windows")
    parser.add_argument("--clip-length", type=int, default=16)
    parser.add_argument("--model-repository", type=Path, help="exported already; made when left out")
    arguments = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    sending = Sending(clip_length=arguments.clip_length)
    found: dict[int, tuple[list[Figures], list[Figures]]] = {users: ([], []) for users in arguments.concurrency}
    with serving(arguments.model_repository, console) as server, Progress(console=console) as progress:
        bar = progress.add_task("Measuring", total=arguments.rounds * len(found))
        for _ in range(arguments.rounds):
            for users, (nvidia, locust) in found.items():
                nvidia.append(
                    perf_analyzer(arguments.perf_analyzer, server.grpc_url, sending, users, arguments.seconds)
                )
                locust.append(closed_users(server.grpc_url, sending, users, WINDOWS * arguments.seconds))
                progress.advance(bar)
    table = Table("concurrency", "perf_analyzer /s", "Locust /s", "ratio", "perf_analyzer p50 ms", "Locust p50 ms")
    ratios = []
    for users, (nvidia, locust) in found.items():
        (rate, p50), (our_rate, our_p50) = _medians(nvidia), _medians(locust)
        ratios.append(our_rate / rate)
        cells = (f"{rate:.3f}", f"{our_rate:.3f}", f"{ratios[-1]:.3f}", f"{p50 * 1000:.0f}", f"{our_p50 * 1000:.0f}")
        table.add_row(str(users), *cells)
    Console(highlight=False).print(table)
    return 0 if all(abs(ratio - 1) <= ALLOWED for ratio in ratios) else 1


def perf_analyzer(program: Path, url: str, sending: Sending, concurrency: int, seconds: float) -> Figures:
    """Measure with NVIDIA's program."""
    payloads = single_video(sending)
    with TemporaryDirectory() as folder:
        data, figures = Path(folder) / "input.json", Path(folder) / "figures.csv"
        data.write_text(json.dumps(input_data(payloads)))
        command = [
            *(str(program.resolve()), "-m", payloads[0].model, "-u", url, "-i", "grpc", "--input-data", str(data)),
            *("--concurrency-range", str(concurrency), "--measurement-interval", f"{seconds * 1000:.0f}"),
            *("--max-trials", str(WINDOWS), "--stability-percentage", ANY, "-f", str(figures)),
            *parameters(payloads[0]),
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - the user's own
        if done.returncode or not figures.is_file():
            raise LoadTestError(f"perf_analyzer failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        with figures.open() as file:
            row = next(csv.DictReader(file))
    return float(row["Inferences/Second"]), float(row["p50 latency"]) / 1e6


def closed_users(url: str, sending: Sending, users: int, seconds: float) -> Figures:
    """Measure with Locust."""
    with TemporaryDirectory() as folder:
        options = ["--users", str(users), "--spawn-rate", str(users), "--run-time", f"{seconds:g}s"]
        options += ["--clip-length", str(sending.clip_length), "--num-clips", str(sending.num_clips), "SingleVideo"]
        run_locust(f"grpc://{url}", options, {"LOAD_REPORT": folder}, quiet=True)
        (stage,) = json.loads((Path(folder) / "results.json").read_text())["stages"]
    return stage["throughput"], stage["p50"]


def _medians(figures: Sequence[Figures]) -> Figures:
    return median(rate for rate, _ in figures), median(p50 for _, p50 in figures)


if __name__ == "__main__":
    sys.exit(main())
