"""Measures what sharing images between overlapping clips saves: one request of a short cine, through a server.

python -m benchmarks.shared_images [--rounds 9]

Two servers run the same weights: one as exported, one whose model encodes every image. Both get the same study of one
cine, by default 30 frames and four clips of 16, in turn. Writes JSON and a table into benchmarks/results.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import torch
from rich.console import Console
from torch import Tensor

from benchmarks.machine import describe_machine
from benchmarks.timing import describe_ratio, in_turn
from panecho_client import PanEcho
from panecho_export import served_model
from panecho_export.precision import best_precision
from panecho_export.repository import export_stand_in
from panecho_export.shared_images import distinct_images
from panecho_export.variant import Variant
from panecho_server import ServerSettings, TritonServer

CINE = Path(__file__).parents[1] / "tests/data/sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm"
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    console = Console(stderr=True)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        with console.status("Exporting twice and starting two servers"):
            urls = {name: opened.enter_context(_served(folder / name)) for name in ("every", "shared")}
        clients = {name: opened.enter_context(PanEcho(url)) for name, url in urls.items()}
        values = {name: client.predict_study(CINE)["EF"].value for name, client in clients.items()}
        times = in_turn(
            {name: partial(client.predict_study, CINE) for name, client in clients.items()}, arguments.rounds
        )
    ratios = times["every"].ratios(times["shared"])
    lines = [
        "# Images shared between overlapping clips",
        "",
        "    python -m benchmarks.shared_images",
        "",
        "; ".join(f"{name}: {value}" for name, value in describe_machine().items()) + ".",
        f"One cine of 30 frames a request, four clips of 16; {best_precision().precision}; {arguments.rounds} rounds.",
        "",
        "| images encoded | ms per request | EF |",
        "|---|---|---|",
        f"| every one, 64 | {times['every'].spread()} | {values['every']:.6f} |",
        f"| different ones, 34 | {times['shared'].spread()} | {values['shared']:.6f} |",
        "",
        f"Times as fast, round by round: {describe_ratio(ratios)}.",
    ]
    text = "\n".join(lines) + "\n"
    (RESULTS / "shared_images.md").write_text(text)
    facts = {"machine": describe_machine(), "times_as_fast": statistics.median(ratios), "ef": values}
    (RESULTS / "shared_images.json").write_text(json.dumps(facts, indent=2) + "\n")
    sys.stdout.write(text)
    return 0


def every_image(planes: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
    """Return every image as a different one; see ``distinct_images``."""
    everything = torch.arange(planes.shape[0], device=kinds.device)
    return everything, everything


def export(folder: Path) -> None:
    """Export into ``folder``; without sharing where its name is ``every``."""
    variant = Variant(precision=best_precision().precision, parts=("study",))
    with patch.object(served_model, "distinct_images", every_image if folder.name == "every" else distinct_images):
        export_stand_in(0, folder / "repository", variant)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    # In a separate process: TorchScript would take the second model's code from the first.
    process = multiprocessing.get_context("spawn").Process(target=export, args=(folder,))
    process.start()
    process.join()
    settings = ServerSettings(
        model_repository=folder / "repository",
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=folder / "tritonserver.log",
    )
    with TritonServer(settings).start() as server:
        yield server.grpc_url


if __name__ == "__main__":
    sys.exit(main())
