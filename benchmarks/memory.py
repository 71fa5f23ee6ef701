"""Watches the memory of server and client over thousands of requests of mixed sizes, unusable files among them.

python benchmarks/memory.py [--requests 2000] [--model-repository PATH]

Prints proportional set sizes (PSS: shared pages are counted once) as it goes, and how they grew over the second half,
when caches are full. Writes benchmarks/results/memory.json.
"""

import argparse
import json
import random
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.progress import track

from machine import describe_machine
from panecho_client import PanEcho, RequestError, Sampling
from panecho_server import TritonServer
from serving import serving

DATA = Path(__file__).parents[1] / "tests/data"
FILES = ("sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm", "sonosite_h264.mp4", "sonosite_mpeg2.ts", "README.md")
SAMPLES = 40
MEBIBYTE = 2**20

Sample = tuple[int, float, float]


def main() -> int:
    """Send the requests, print and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--model-repository", type=Path, help="made with stand-in weights when left out")
    arguments = parser.parse_args()
    with ExitStack() as opened:
        server = opened.enter_context(serving(arguments.model_repository))
        panecho = opened.enter_context(PanEcho(server.grpc_url))
        samples = _watch(panecho, server, arguments.requests)
    growth = {"server": _growth(samples, 1), "client": _growth(samples, 2)}
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
            family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
            samples.append((number, _pss(family), _pss([psutil.Process()])))
            Console().print("after {} requests: server {:.0f} MiB, client {:.0f} MiB".format(*samples[-1]))
    return samples


def _send(panecho: PanEcho, chooser: random.Random) -> None:
    files = [DATA / name for name in chooser.choices(FILES, k=chooser.randint(1, 3))]
    sampling = Sampling(num_clips=chooser.randint(1, 4), clip_length=chooser.randint(1, 3))
    with suppress(RequestError):  # of a study in which no file can be used
        panecho.predict_study(files, sampling=sampling, requests="per-video" if chooser.random() < 0.5 else "one")


def _pss(processes: list[psutil.Process]) -> float:
    return float(sum(process.memory_full_info().pss for process in processes)) / MEBIBYTE


def _growth(samples: list[Sample], column: int) -> float:
    """Return the slope of a straight line through the second half, per 1000 requests."""
    half = np.array(samples[len(samples) // 2 :])
    return round(float(np.polyfit(half[:, 0], half[:, column], 1)[0]) * 1000, 2)


if __name__ == "__main__":
    sys.exit(main())
