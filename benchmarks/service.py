"""Compares the served ensemble with what one would write without it, end to end, from a file to its predictions.

python -m benchmarks.service [--rounds 3] [--seconds 12] [--model-repository PATH] [--file cine.dcm]

One request is one cine and one clip. In every round, in turn: ours over gRPC at 1, 2, 4 and 8 callers, the same model
behind FastAPI and uvicorn at the same numbers, the obvious script (pydicom, OpenCV, the eager model, in a loop), and
the bare backbone (the served TorchScript file in a loop, without server, file and preprocessing). Writes JSON, a table
and a plot into benchmarks/results. Needs the extra `benchmark`.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
from load_tests.embedded.serving import serving
from rich.console import Console
from rich.progress import Progress
from tritonclient.grpc import InferenceServerClient

from benchmarks.cines import describe_clips
from benchmarks.fastapi_service import fastapi_service
from benchmarks.load import Load, keep_busy
from benchmarks.machine import describe_machine
from benchmarks.obvious import Obvious
from benchmarks.service_report import write_report
from panecho_client import ClipOptions, Connection, PanEcho
from panecho_server import TritonServer

CALLERS = (1, 2, 4, 8)
SAMPLING = ClipOptions(num_clips=1, framing="whole")  # the script masks nothing
OURS, FASTAPI, SCRIPT, BACKBONE = "ours", "FastAPI", "script", "bare backbone"
MODELS = ("preprocessing", "backbone", "postprocessing")
CINE = Path(__file__).parents[1] / "tests/data/sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm"
EF_POINTS = 1.0

Key = tuple[str, int]


def main() -> int:
    """Measure, print the table, and write the results."""
    arguments = _arguments()
    progress = Console(stderr=True)
    with ExitStack() as opened:
        server = opened.enter_context(serving(arguments.model_repository, progress))
        panecho = opened.enter_context(PanEcho(Connection(url=server.grpc_url)))
        fastapi = opened.enter_context(fastapi_service()).predict
        script = Obvious().predict
        data = arguments.file.read_bytes()
        calls: dict[str, Callable[[], object]] = {
            OURS: lambda: panecho.predict_study(arguments.file, clip_options=SAMPLING, embedding=False),
            FASTAPI: lambda: fastapi(data),
            SCRIPT: lambda: script(data),
            BACKBONE: _backbone(server.settings.model_repository),
        }
        _check_same(panecho, arguments.file, fastapi(data))
        loads, stages = _measure(calls, server, arguments.rounds, arguments.seconds, progress)
    results = {
        "machine": describe_machine(),
        "file": arguments.file.name,
        "clips": describe_clips(SAMPLING),
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "stages": stages,
        "loads": [_summary(name, callers, load) for (name, callers), load in loads.items()],
    }
    write_report(results, Path(__file__).parent / "results")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12, help="of each measurement in each round")
    parser.add_argument("--model-repository", type=Path, help="exported with --stand-in 0; made when left out")
    parser.add_argument("--file", type=Path, default=CINE)
    return parser.parse_args()


def _backbone(repository: Path) -> Callable[[], object]:
    """Return a call of the served model alone, on one clip."""
    module = torch.jit.load(repository / "backbone/1/model.pt").eval()  # type: ignore[no-untyped-call] # torch
    clip = torch.zeros((1, SAMPLING.clip_length or 16, 224, 224, 3), dtype=torch.uint8)

    def call() -> object:
        with torch.inference_mode():
            return module(clip)

    return call


def _check_same(panecho: PanEcho, file: Path, logits: list[float]) -> None:
    """Refuse to compare speeds of different numbers."""
    position = sum(task.size for task in panecho.tasks[: [task.key for task in panecho.tasks].index("EF")])
    ours = panecho.predict_study(file, clip_options=SAMPLING, tasks="EF")["EF"].value
    if abs(ours - logits[position]) > EF_POINTS:
        raise SystemExit(f"ours says EF {ours:.2f}, the alternative {logits[position]:.2f}: not the same model")


def _measure(
    calls: Mapping[str, Callable[[], object]], server: TritonServer, rounds: int, seconds: float, console: Console
) -> tuple[dict[Key, Load], dict[str, float]]:
    """Return what callers saw, by variant and number of callers, and the share of each model in ours' time."""
    cases = [(OURS, callers) for callers in CALLERS] + [(FASTAPI, callers) for callers in CALLERS]
    cases += [(SCRIPT, 1), (BACKBONE, 1)]
    loads = {case: Load() for case in cases}
    spent = dict.fromkeys(MODELS, 0.0)
    with Progress(console=console) as progress:
        bar = progress.add_task("Measuring", total=rounds * len(cases))
        for number in range(rounds):
            for name, callers in cases[number:] + cases[:number]:
                progress.update(bar, description=f"{name}, {callers} callers")
                before = _compute_seconds(server)
                loads[name, callers] += keep_busy(calls[name], callers, seconds)
                if (name, callers) == (OURS, CALLERS[-1]):
                    spent = {
                        model: spent[model] + after - before[model] for model, after in _compute_seconds(server).items()
                    }
                progress.advance(bar)
    return loads, {model: time / max(sum(spent.values()), 1e-9) for model, time in spent.items()}


def _compute_seconds(server: TritonServer) -> dict[str, float]:
    """Return how long each model has computed, by Triton's own statistics: once for a batch."""
    with InferenceServerClient(server.grpc_url, channel_args=[("grpc.enable_http_proxy", 0)]) as client:
        return {
            model: sum(
                batch.compute_infer.ns / 1e9
                for statistics in client.get_inference_statistics(model).model_stats
                for batch in statistics.batch_stats
            )
            for model in MODELS
        }


def _summary(name: str, callers: int, load: Load) -> dict[str, object]:
    return {
        "variant": name,
        "callers": callers,
        "requests": len(load.latencies),
        "per_second": load.throughput,
        **{f"p{percent}": load.percentile(percent) for percent in (50, 95, 99)},
    }


if __name__ == "__main__":
    sys.exit(main())
