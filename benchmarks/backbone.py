"""Compares the served backbone with the published model: eager, as TorchScript, compiled, and in other libraries.

python -m benchmarks.backbone [--device cuda] [--rounds 9] [--no-compile] [--no-peers]

Clips of 16 frames of a real cine, stand-in weights, one clip and four at once. All variants run in turn, in one run:
ours, torch.compile, ONNX Runtime and OpenVINO, together with a matrix product in FP32 and in bf16 that shows what the
machine can do at best. TorchScript is measured as it is served: saved and loaded. Differences are from the eager FP32
model, in what the tasks report. Writes JSON and a table into benchmarks/results.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor, nn

from benchmarks.backbone_variants import EAGER, variants
from benchmarks.machine import describe_machine
from benchmarks.operations import matrix_product, operations
from benchmarks.timing import Times, in_turn
from panecho_export.manifest import ExportParity
from panecho_export.validation import compare
from panecho_model.architecture import PanEchoModel
from panecho_model.checkpoint import load_model
from panecho_model.stand_in import stand_in_weights, with_training_means
from panecho_model.tasks import TASKS
from panecho_preprocessing import ClipOptions, video_clips

ROOT = Path(__file__).parents[1]
CINE = ROOT / "tests/data/sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm"
RESULTS = ROOT / "benchmarks" / "results"
BATCHES = (1, 4)
LIMITS = {"matrix product fp32": torch.float32, "matrix product bf16": torch.bfloat16}
"""The type of the numbers of each matrix product."""

SIZE = 2048  # of the matrices of the product

_COLUMNS = (
    "variant",
    "clips",
    "ms",
    "fastest",
    "clips/s",
    "times as fast",
    "of fp32 product",
    "of bf16 product",
    "measurement off by",
    "probability off by",
    "embedding off by",
)
_PROGRESS = Console(stderr=True, highlight=False)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant at one batch size.

    Attributes:
        speed_up: Median of how many times as fast as the eager model, round by round.
        of_fp32: Share of the speed of the matrix product in FP32: operations per second of one to the other.
        of_bf16: The same for bf16.
        measurement: The task that is furthest off, and by how much in its unit.
        probability: Largest difference of a class's probability.
        embedding: Largest difference of an embedding's number.
    """

    variant: str
    clips: int
    milliseconds: float
    fastest: float
    clips_per_second: float
    speed_up: float
    of_fp32: float
    of_bf16: float
    measurement: str
    probability: float
    embedding: float


@torch.no_grad()
def main() -> int:
    """Measure, print the table and write the results."""
    arguments = _arguments()
    device = torch.device(arguments.device)
    model = load_model(with_training_means(stand_in_weights(0))).to(device)
    clips = _clips().to(device)
    modules, left_out = variants(
        model, clips, BATCHES, compile_too=not arguments.no_compile, peers=not arguments.no_peers
    )
    differences = {name: _difference(model, module, clips, name) for name, module in modules.items()}
    limits = {name: matrix_product(SIZE, kind, device) for name, kind in LIMITS.items()}
    rows = []
    for count in BATCHES:
        _PROGRESS.print(f"Timing {len(modules)} variants at {count} clip(s), {arguments.rounds} rounds")
        calls = {name: _call(module, clips[:count]) for name, module in modules.items()}
        times = in_turn(calls | limits, arguments.rounds)
        needed = operations(model, clips[:count])
        rows += [_row(name, count, times, needed, differences[name]) for name in modules]
    _write(_machine(device), rows, left_out, arguments.rounds)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--rounds", type=int, default=9, help="how often each variant is timed (default: 9)")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile, which takes minutes")
    parser.add_argument("--no-peers", action="store_true", help="leave out ONNX Runtime and OpenVINO")
    return parser.parse_args()


def _clips() -> Tensor:
    return torch.from_numpy(video_clips(CINE.read_bytes(), ClipOptions(num_clips=max(BATCHES), clip_length=16)))


def _difference(model: PanEchoModel, module: nn.Module, clips: Tensor, name: str) -> ExportParity:
    _PROGRESS.print(f"Comparing {name}")
    return compare(model, module, [clips], TASKS)


def _call(module: nn.Module, clips: Tensor) -> Callable[[], object]:
    def call() -> Tensor:
        logits: Tensor = module(clips)[0]
        return logits.cpu()  # on a GPU, wait for it

    return call


def _row(name: str, clips: int, times: dict[str, Times], needed: int, difference: ExportParity) -> Row:
    shares = {limit: needed / times[name].median * min(times[limit].seconds) / (2 * SIZE**3) for limit in LIMITS}
    units = {task.key: task.unit for task in TASKS if task.kind == "regression"}
    worst = max(units, key=lambda key: difference.tasks[key])
    return Row(
        variant=name,
        clips=clips,
        milliseconds=times[name].median * 1e3,
        fastest=min(times[name].seconds) * 1e3,
        clips_per_second=clips / times[name].median,
        speed_up=statistics.median(times[EAGER].ratios(times[name])),
        of_fp32=shares["matrix product fp32"],
        of_bf16=shares["matrix product bf16"],
        measurement=f"{worst} {difference.tasks[worst]:.2g} {units[worst] or ''}".strip(),
        probability=max(value for key, value in difference.tasks.items() if key not in units),
        embedding=difference.embedding,
    )


def _machine(device: torch.device) -> dict[str, object]:
    return describe_machine() | {"device": device.type, "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY")}


def _write(machine: dict[str, object], rows: list[Row], left_out: list[str], rounds: int) -> None:
    """Write both files under ``results``, named after the device unless it is the CPU; print the table."""
    name = "backbone" if machine["device"] == "cpu" else f"backbone_{machine['device']}"
    content = {"machine": machine, "rounds": rounds, "rows": [asdict(row) for row in rows], "left_out": left_out}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    text = "\n".join(_markdown(machine, rows, left_out, rounds)) + "\n"
    (RESULTS / f"{name}.md").write_text(text)
    sys.stdout.write(text)


def _markdown(machine: dict[str, object], rows: list[Row], left_out: list[str], rounds: int) -> list[str]:
    return [
        "# Backbone: clips of 16 frames to logits",
        "",
        "    python -m benchmarks.backbone" + ("" if machine["device"] == "cpu" else f" --device {machine['device']}"),
        "",
        "; ".join(f"{name}: {value}" for name, value in machine.items()) + ".",
        f"{rounds} interleaved rounds; medians. Differences are the largest from eager fp32 on real clips.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
        *(
            f"| {row.variant} | {row.clips} | {row.milliseconds:.0f} | {row.fastest:.0f} | {row.clips_per_second:.2f} "
            f"| {row.speed_up:.2f} | {row.of_fp32:.0%} | {row.of_bf16:.0%} | {row.measurement.replace('|', '&#124;')} "
            f"| {row.probability:.1g} | {row.embedding:.1g} |"
            for row in rows
        ),
        *(f"\nLeft out: {reason}" for reason in left_out),
    ]


if __name__ == "__main__":
    sys.exit(main())
