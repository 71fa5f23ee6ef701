"""Compares serving settings on this machine: instances, queue delay, threads.

python -m benchmarks.serving_settings [--rounds 3] [--seconds 8] [--callers 1 4 8]

Every case is the `cpu` profile with one thing changed, a separate server; all run at once, and are kept busy in turn.
One request is one cine and one clip. Prints a table and writes benchmarks/results/serving_settings.json and .md.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import track

from benchmarks.cines import describe_clips
from benchmarks.load import Load, keep_busy
from benchmarks.machine import describe_machine
from panecho_client import ClipOptions, PanEcho
from panecho_export.config_rendering import rendered, write
from panecho_export.precision import best_precision
from panecho_export.repository import export_stand_in
from panecho_export.serving_profiles import PROFILES, Profile
from panecho_export.variant import Variant
from panecho_server import ServerSettings, TritonServer

CINE = Path(__file__).parents[1] / "tests/data/sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm"
RESULTS = Path(__file__).parent / "results/serving_settings"
SAMPLING = ClipOptions(num_clips=1)
CPU = PROFILES["cpu"]
BACKBONE, PREPROCESSING = CPU["backbone"], CPU["preprocessing"]
CASES: Mapping[str, Profile] = {
    "cpu": CPU,
    "queue-delay-2ms": {**CPU, "backbone": replace(BACKBONE, queue_delay=2_000)},
    "queue-delay-20ms": {**CPU, "backbone": replace(BACKBONE, queue_delay=20_000)},
    "queue-delay-200ms": {**CPU, "backbone": replace(BACKBONE, queue_delay=200_000)},
    "backbone-2-instances": {**CPU, "backbone": replace(BACKBONE, instances=2)},
    "preprocessing-1-instance": {**CPU, "preprocessing": replace(PREPROCESSING, instances=1)},
    "preprocessing-4-instances": {**CPU, "preprocessing": replace(PREPROCESSING, instances=4)},
}

Key = tuple[str, int]


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement in each round")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 4, 8])
    arguments = parser.parse_args()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        repository = _repository(folder)
        progress = Console(stderr=True)
        clients = {
            name: opened.enter_context(PanEcho(opened.enter_context(_server(repository, name)).grpc_url))
            for name in track(CASES, "Starting", console=progress)
        }
        loads = _measure(clients, arguments.callers, arguments.rounds, arguments.seconds, progress)
    _report(loads, arguments.callers)
    return 0


def _repository(folder: Path) -> Path:
    """Return a repository with stand-in weights and a profile for each case."""
    repository = folder / "repository"
    manifest = export_stand_in(0, repository, Variant(precision=best_precision().precision))
    write(rendered(repository, manifest, profiles=CASES))
    return repository


def _server(repository: Path, case: str) -> TritonServer:
    log = repository.parent / f"{case}.log"
    options = {"model-config-name": case}
    return TritonServer(
        ServerSettings(
            model_repository=repository, http_port=0, grpc_port=0, metrics_port=0, log_file=log, options=options
        )
    )


def _measure(
    clients: Mapping[str, PanEcho], callers: list[int], rounds: int, seconds: float, console: Console
) -> dict[Key, Load]:
    keys = [(name, count) for count in callers for name in clients]
    loads = {key: Load() for key in keys}
    order = [key for number in range(rounds) for key in keys[number:] + keys[:number]]
    for name, count in track(order, "Measuring", console=console):
        panecho = clients[name]
        loads[name, count] += keep_busy(lambda panecho=panecho: _predict(panecho), count, seconds)  # type: ignore[misc] # mypy cannot infer a lambda with a default
    return loads


def _predict(panecho: PanEcho) -> object:
    return panecho.predict_study(CINE, clip_options=SAMPLING, embedding=False)


def _report(loads: Mapping[Key, Load], callers: list[int]) -> None:
    machine = describe_machine()
    rows = [_row(name, [loads[name, count] for count in callers]) for name in CASES]
    heads = [f"{count} callers: per second | p50 s | p95 s" for count in callers]
    table = [f"| settings | {' | '.join(heads)} |", "|---" * (1 + 3 * len(callers)) + "|", *rows]
    about = ", ".join(f"{name} {value}" for name, value in machine.items())
    text = "\n".join(
        [
            "# Serving settings",
            "",
            "`python -m benchmarks.serving_settings`",
            describe_clips(SAMPLING),
            f"Machine: {about}.",
            "",
            *table,
        ]
    )
    RESULTS.with_suffix(".md").write_text(text + "\n")
    figures = [
        {"settings": name, "callers": count, "per_second": load.throughput, "p50": load.percentile(50)}
        for (name, count), load in loads.items()
    ]
    RESULTS.with_suffix(".json").write_text(json.dumps({"machine": machine, "loads": figures}, indent=1) + "\n")
    Console(soft_wrap=True).print(text)


def _row(name: str, loads: list[Load]) -> str:
    cells = [f"{load.throughput:.2f} | {load.percentile(50):.2f} | {load.percentile(95):.2f}" for load in loads]
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
