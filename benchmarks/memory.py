"""Watches the memory of server and client over thousands of requests of mixed sizes, unusable files among them.

python -m benchmarks.memory [--requests 2000] [--model-repository PATH]

Prints what each process holds besides files (libraries are not counted, shared memory is counted once) as it goes, and
how it grew over the second half, when caches are full. Writes benchmarks/results/memory.json.
"""

import argparse
import json
import random
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Literal

import numpy as np
import psutil
from load_tests.embedded.serving import serving
from rich.console import Console
from rich.progress import track

from benchmarks.machine import describe_machine
from panecho_client import ClipOptions, PanEcho, RequestError
from panecho_server import TritonServer

DATA = Path(__file__).parents[1] / "tests/data"
FILES = ("sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm", "sonosite_h264.mp4", "sonosite_mpeg2.ts", "README.md")
SAMPLES = 40
REQUESTS = "requests"

Sample = dict[str, float]


def main() -> int:
    """Send the requests, print and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--model-repository", type=Path, help="made with stand-in weights when left out")
    arguments = parser.parse_args()
    with ExitStack() as opened:
        server = opened.enter_context(serving(arguments.model_repository, Console(stderr=True)))
        panecho = opened.enter_context(PanEcho(server.grpc_url))
        samples = _watch(panecho, server, arguments.requests)
    growth = {name: _growth(samples, name) for name in samples[0] if name != REQUESTS}
    results = {"machine": describe_machine(), "growth_mib_per_1000_requests": growth, "samples": samples}
    (Path(__file__).parent / "results/memory.json").write_text(json.dumps(results, indent=1) + "\n")
    Console().print(f"Growth over the second half, MiB per 1000 requests: {growth}")
    return 0


def _watch(panecho: PanEcho, server: TritonServer, count: int) -> list[Sample]:
    chooser = random.Random(0)  # noqa: S311 - no secret
    samples = []
    for number in track(range(1, count + 1), "Sending", console=Console(stderr=True)):
        _send(panecho, chooser)
        if number % max(1, count // SAMPLES) == 0:
            samples.append({REQUESTS: number, "client": _size(psutil.Process()), **_server_sizes(server)})
            Console().print(", ".join(f"{name} {value:.0f}" for name, value in samples[-1].items()))
    return samples


def _send(panecho: PanEcho, chooser: random.Random) -> None:
    files = [DATA / name for name in chooser.choices(FILES, k=chooser.randint(1, 3))]
    batching: Literal["per-video", "whole-study"] = chooser.choice(("per-video", "whole-study"))
    clip_options = ClipOptions(num_clips=chooser.randint(1, 4), clip_length=chooser.randint(1, 3))
    with suppress(RequestError):  # of a study in which no file can be used
        panecho.predict_study(files, clip_options=clip_options, batching=batching)


def _server_sizes(server: TritonServer) -> dict[str, float]:
    """Return what each process of the server holds: tritonserver itself, the Python models and the backbone."""
    main = psutil.Process(server.pid)
    sizes = {"tritonserver": _size(main)}
    for number, stub in enumerate(sorted(main.children(recursive=True), key=lambda process: process.pid)):
        sizes[f"{number} {_model(stub)}"] = _size(stub)
    return sizes | {"server": sum(sizes.values())}


def _model(stub: psutil.Process) -> str:
    return next(Path(word).parents[1].name for word in stub.cmdline() if "/1/model." in word)


def _size(process: psutil.Process) -> float:
    """Return MiB of anonymous and of shared memory; proc(5), smaps_rollup."""
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:"))) / 1024


def _growth(samples: list[Sample], name: str) -> float:
    """Return the slope of a straight line through the second half, per 1000 requests."""
    half = samples[len(samples) // 2 :]
    requests, sizes = ([sample[column] for sample in half] for column in (REQUESTS, name))
    return round(float(np.polyfit(requests, sizes, 1)[0]) * 1000, 2)


if __name__ == "__main__":
    sys.exit(main())
