"""Checks and measures the backbone on a GPU in one run of under eight minutes: numbers, speed, memory, operators.

PYTHONPATH=tests python -m benchmarks.gpu [--device cuda] [--minutes 8] [--small]

Needs torch, timm, numpy and rich, and no network: `scripts/gpu_bundle FOLDER` packs everything for a machine that has
torch alone. Steps, each left out with a note when the time is up or the machine lacks something:

1. Numbers: exports in fp32, bf16 and fp16 against the published code's golden outputs, within the bounds of an export.
2. Speed: clips per second and peak memory by batch, for the eager model, ours and torch.compile, the copy of the uint8
   clips to the device included; the share of what a bf16 matrix product reaches.
3. Operators: where the time of ours in bf16 goes.

Writes `benchmarks/results/gpu-NAME.json` and `.md`. `--device cpu --small` runs every step on a CPU, in CI.
"""

import argparse
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.backbone_variants import EAGER, Autocast, compiled, served
from benchmarks.gpu_report import write_gpu_report
from benchmarks.machine import describe_machine
from benchmarks.operations import matrix_product, operations
from benchmarks.timing import in_turn
from panecho_export.precision import convert
from panecho_export.validation import compare, random_frames, require_parity
from panecho_model.checkpoint import load_model
from panecho_model.constants import Precision
from panecho_model.stand_in import stand_in_weights, with_training_means
from panecho_model.tasks import TASKS
from support.reference_clips import uint8_clip

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests/model/data/golden_seed0.npz"
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
MATRIX = "matrix product bf16"
OPERATORS = 15
_PROGRESS = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Plan:
    """What is measured: everything, or as little as shows that the script runs."""

    batches: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    clip_length: int = 16
    rounds: int = 9
    matrix: int = 8192
    compiled: bool = True
    precisions: tuple[Precision, ...] = PRECISIONS


SMALL = Plan(batches=(1, 2), clip_length=1, rounds=1, matrix=256, compiled=False, precisions=("bf16",))


@dataclass
class Findings:
    """What was found, as the files hold it."""

    machine: dict[str, object]
    numbers: list[dict[str, Any]] = field(default_factory=list)
    speeds: list[dict[str, Any]] = field(default_factory=list)
    operators: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class Budget:
    """The time that is left."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes

    def allows(self, step: str, findings: Findings) -> bool:
        """Tell whether there is time for a step; note it as left out if not."""
        if time.monotonic() < self._end:
            return True
        findings.left_out.append(f"{step}: the time was up")
        return False


class OnDevice(nn.Module):
    """A model that takes clips from this machine's memory and gives its outputs back there."""

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        super().__init__()
        self._module = module.to(device)
        self._device = device

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embedding, FP32."""
        logits, embedding = self._module(clips.to(self._device, non_blocking=True))
        return logits.float().cpu(), embedding.float().cpu()


class Published(nn.Module):
    """What the published code computes of the golden clip."""

    def forward(self, _clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embedding, FP32."""
        with np.load(GOLDEN) as golden:
            return torch.from_numpy(golden["uint8_logits/8"]), torch.from_numpy(golden["uint8_embedding/8"])


@torch.no_grad()
def main(arguments: list[str] | None = None) -> int:
    """Run all steps, write the files and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--small", action="store_true", help="run every step once, on little")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results")
    given = parser.parse_args(arguments)
    device, plan, budget = torch.device(given.device), SMALL if given.small else Plan(), Budget(given.minutes)
    findings = Findings(describe_machine() | {"device": str(device)})
    check_numbers(plan, device, findings)
    measure_speeds(plan, device, budget, findings)
    if budget.allows("operators", findings):
        measure_operators(plan, device, findings)
    name = re.sub(r"[^a-z0-9]+", "-", str(findings.machine["gpu"] or device).lower()).strip("-")
    write_gpu_report(asdict(findings), given.output, f"gpu-{name}")
    return 0


def check_numbers(plan: Plan, device: torch.device, findings: Findings) -> None:
    """Compare exports with the published code's outputs.

    Raises:
        ValidationError: One is further off than an export may be.
    """
    model, clip = load_model(stand_in_weights(0)), torch.from_numpy(uint8_clip(8))
    for precision in plan.precisions:
        _PROGRESS.print(f"Comparing {precision} with the published numbers")
        parity = compare(Published(), OnDevice(served(convert(model, precision)), device), [clip], TASKS)
        require_parity(parity, TASKS, precision)
        worst = max(parity.tasks, key=lambda key: parity.tasks[key])
        findings.numbers.append(
            {"precision": precision, "embedding": parity.embedding, "task": worst, "off_by": parity.tasks[worst]}
        )


def measure_speeds(plan: Plan, device: torch.device, budget: Budget, findings: Findings) -> None:
    """Time all variants in turn at each batch, and their memory."""
    modules = _variants(plan, device, budget, findings)
    product = matrix_product(plan.matrix, torch.bfloat16, device)
    for batch in plan.batches:
        if not budget.allows(f"batches of {batch}", findings):
            return
        _PROGRESS.print(f"Timing {len(modules)} variants at {batch} clips")
        clips = _clips(batch, plan)
        times = in_turn(
            {name: partial(module, clips) for name, module in modules.items()} | {MATRIX: product}, plan.rounds
        )
        peak = 2 * plan.matrix**3 / min(times[MATRIX].seconds)
        needed = operations(modules[EAGER], clips)
        for name, module in modules.items():
            findings.speeds.append(
                {
                    "variant": name,
                    "clips": batch,
                    "clips_per_second": batch / times[name].median,
                    "milliseconds": times[name].median * 1e3,
                    "of_bf16_peak": needed / times[name].median / peak,
                    "memory_mib": _memory(module, clips, device),
                }
            )


def _variants(plan: Plan, device: torch.device, budget: Budget, findings: Findings) -> dict[str, OnDevice]:
    eager = load_model(with_training_means(stand_in_weights(0))).to(device)
    makers: dict[str, Callable[[], nn.Module]] = {
        f"ours, {precision}": partial(lambda kind: served(convert(eager, kind)), precision)
        for precision in plan.precisions
    }
    if plan.compiled:
        makers |= {
            "torch.compile fp32": lambda: compiled(eager, _clips(1, plan).to(device)),
            "torch.compile bf16 (autocast)": lambda: compiled(Autocast(eager), _clips(1, plan).to(device)),
        }
    made = {EAGER: OnDevice(eager, device)}
    for name, make in makers.items():
        if budget.allows(name, findings):
            _PROGRESS.print(f"Making {name}")
            try:
                made[name] = OnDevice(make(), device)
            except Exception as error:  # noqa: BLE001 - whatever the machine lacks, the rest is measured
                findings.left_out.append(f"{name}: {type(error).__name__}, {str(error).splitlines()[0]}")
    return made


def measure_operators(plan: Plan, device: torch.device, findings: Findings) -> None:
    """Find where the time of ours in bf16 goes."""
    _PROGRESS.print("Profiling ours in bf16")
    module = OnDevice(served(convert(load_model(stand_in_weights(0)), "bf16")), device)
    clips = _clips(plan.batches[-1], plan)
    module(clips)
    on_gpu = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as profiler:
        module(clips)
    rows = [
        {
            "operator": row.key,
            "calls": row.count,
            "microseconds": row.self_device_time_total if on_gpu else row.self_cpu_time_total,
        }
        for row in profiler.key_averages()
    ]
    total = sum(row["microseconds"] for row in rows) or 1
    for row in sorted(rows, key=lambda row: -row["microseconds"])[:OPERATORS]:
        findings.operators.append(row | {"share": row["microseconds"] / total})


def _clips(count: int, plan: Plan) -> Tensor:
    """Return clips of noise, which share no images, UINT8 [count, T, 224, 224, 3]; ready to be copied to a GPU."""
    clips = random_frames(count, plan.clip_length)
    return clips.pin_memory() if torch.cuda.is_available() else clips


def _memory(module: nn.Module, clips: Tensor, device: torch.device) -> float | None:
    """Return the most that the GPU held for a call, weights included, MiB; None on a CPU."""
    if device.type != "cuda":
        return None
    torch.cuda.reset_peak_memory_stats(device)
    module(clips)
    return torch.cuda.max_memory_allocated(device) / 2**20


if __name__ == "__main__":
    sys.exit(main())
