"""How much Locust adds to a request: one closed user against a bare loop over tritonclient, in turn.

python -m benchmarks.load_generator.overhead [--rounds 3] [--seconds 8] [--model-repository PATH]

Two kinds of request: the smallest (logits to predictions, a few milliseconds), and a single video. Prints the median
latencies of all rounds, their difference and their ratio.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import tritonclient.grpc as triton
from load_tests.embedded.serving import serving
from load_tests.requests.payloads import Payload, Payloads, Sending, aggregation, single_video
from load_tests.run import run_locust
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from tritonclient.utils import np_to_triton_dtype

SCENARIOS: Mapping[str, Payloads] = {"Aggregation": aggregation, "SingleVideo": single_video}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement in each round")
    parser.add_argument("--model-repository", type=Path, help="exported already; made when left out")
    arguments = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    with serving(arguments.model_repository, console) as server, Progress(console=console) as progress:
        found = measure(server.grpc_url, arguments.rounds, arguments.seconds, progress)
    table = Table("request", "bare loop, ms", "Locust, ms", "difference, ms", "ratio")
    for name, (bare, locust) in found.items():
        table.add_row(name, f"{bare:.2f}", f"{locust:.2f}", f"{locust - bare:.2f}", f"{locust / bare:.3f}")
    Console(highlight=False).print(table)
    return 0


def measure(url: str, rounds: int, seconds: float, progress: Progress) -> dict[str, tuple[float, float]]:
    """Return the medians of the rounds' median latencies, milliseconds: of the bare loop and of Locust."""
    bar = progress.add_task("Measuring", total=rounds * len(SCENARIOS))
    bare: dict[str, list[float]] = {name: [] for name in SCENARIOS}
    locust: dict[str, list[float]] = {name: [] for name in SCENARIOS}
    for _ in range(rounds):
        for name, payloads in SCENARIOS.items():
            bare[name].append(bare_loop(url, payloads(Sending()), seconds))
            locust[name].append(one_user(url, name, seconds))
            progress.advance(bar)
    return {name: (median(bare[name]) * 1000, median(locust[name]) * 1000) for name in SCENARIOS}


def bare_loop(url: str, payloads: Sequence[Payload], seconds: float) -> float:
    """Return the median latency, in seconds, of requests sent one after another with tritonclient alone."""
    client = triton.InferenceServerClient(url, channel_args=[("grpc.enable_http_proxy", 0)])
    calls = [
        {
            "model_name": payload.model,
            "inputs": [_input(name, payload) for name in payload.inputs],
            "outputs": [triton.InferRequestedOutput(name) for name in payload.outputs],
            "parameters": dict(payload.parameters),
        }
        for payload in payloads
    ]
    latencies: list[float] = []
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        sent = time.perf_counter()
        client.infer(**calls[len(latencies) % len(calls)])
        latencies.append(time.perf_counter() - sent)
    client.close()
    return median(latencies)


def _input(name: str, payload: Payload) -> triton.InferInput:
    array = payload.inputs[name]
    return triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)).set_data_from_numpy(array)


def one_user(url: str, scenario: str, seconds: float) -> float:
    """Return the median latency, in seconds, that one closed user of Locust sees."""
    with TemporaryDirectory() as folder:
        run_locust(
            f"grpc://{url}",
            ["--users", "1", "--run-time", f"{seconds:g}s", "--connections", "1", scenario],
            {"LOAD_REPORT": folder},
            quiet=True,
        )
        results = json.loads((Path(folder) / "results.json").read_text())
    return float(results["stages"][0]["p50"])


if __name__ == "__main__":
    sys.exit(main())
