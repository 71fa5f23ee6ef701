"""Compares the backbone that is served with the published model, eager, as TorchScript and through torch.compile.

python -m benchmarks.backbone [--device cuda] [--rounds 9] [--no-compile]

Clips of 16 frames of a real cine, stand-in weights, one clip and four at once. All variants run in turn, in one run,
together with a matrix product in bf16 that shows what the machine can do at best. TorchScript is measured as it is
served: saved and loaded. Differences are from the eager FP32 model, in what the tasks report. Writes JSON and a table
into benchmarks/results.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import describe_machine
from benchmarks.timing import Times, in_turn
from panecho_export.manifest import ExportParity
from panecho_export.precision import convert
from panecho_export.torchscript import save, script
from panecho_export.validation import compare
from panecho_model.architecture import PanEchoModel
from panecho_model.checkpoint import load_model
from panecho_model.constants import Precision
from panecho_model.stand_in import stand_in_weights, with_training_means
from panecho_model.tasks import TASKS
from panecho_preprocessing import ClipOptions, video_clips

ROOT = Path(__file__).parents[1]
CINE = ROOT / "tests/data/sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm"
RESULTS = ROOT / "benchmarks" / "results"
BATCHES = (1, 4)
PRECISIONS: dict[str, tuple[Precision, ...]] = {"cpu": ("fp32", "bf16"), "cuda": ("fp32", "bf16", "fp16")}
EAGER, MATRIX = "eager fp32", "matrix product bf16"
SIZE = 2048  # of the matrices of the product

_COLUMNS = (
    "variant",
    "clips",
    "ms",
    "fastest",
    "clips/s",
    "times as fast",
    "of bf16 peak",
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
        peak: Share of what the matrix product in bf16 reaches.
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
    peak: float
    measurement: str
    probability: float
    embedding: float


def main() -> int:
    """Measure, print the table and write the results."""
    arguments = _arguments()
    device = torch.device(arguments.device)
    torch.set_grad_enabled(False)
    model = load_model(with_training_means(stand_in_weights(0))).to(device)
    clips = _clips().to(device)
    variants, left_out = _variants(model, clips, compiled=not arguments.no_compile)
    differences = {name: _difference(model, module, clips, name) for name, module in variants.items()}
    rows = []
    for count in BATCHES:
        _PROGRESS.print(f"Timing {len(variants)} variants at {count} clip(s), {arguments.rounds} rounds")
        calls = {name: _call(module, clips[:count]) for name, module in variants.items()}
        times = in_turn(calls | {MATRIX: _matrix_product(device)}, arguments.rounds)
        operations = _operations(model, clips[:count])
        rows += [_row(name, count, times, operations, differences[name]) for name in variants]
    _write(_machine(device), rows, left_out, arguments.rounds)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--rounds", type=int, default=9, help="how often each variant is timed (default: 9)")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile, which takes minutes")
    return parser.parse_args()


def _clips() -> Tensor:
    return torch.from_numpy(video_clips(CINE.read_bytes(), ClipOptions(num_clips=max(BATCHES), clip_length=16)))


def _variants(model: PanEchoModel, clips: Tensor, *, compiled: bool) -> tuple[dict[str, nn.Module], list[str]]:
    """Return the modules to compare, the eager model first, and what was left out, and why."""
    variants: dict[str, nn.Module] = {EAGER: model, "TorchScript fp32": _served(model)}
    variants |= {
        f"ours, TorchScript {precision}": _served(convert(model, precision))
        for precision in PRECISIONS[clips.device.type]
    }
    left_out: list[str] = []
    candidates = {"torch.compile fp32": model, "torch.compile bf16 (autocast)": Autocast(model)} if compiled else {}
    for name, module in candidates.items():
        _PROGRESS.print(f"Compiling {name}")
        try:
            candidate: nn.Module = torch.compile(module)  # type: ignore[assignment] # a module, though typed as callable
            candidate(clips[:1])
        except Exception as error:  # noqa: BLE001 - whatever the compiler lacks, the rest is measured
            left_out.append(f"{name}: {type(error).__name__}, {str(error).splitlines()[0]}")
        else:
            variants[name] = candidate
    return variants, left_out


class Autocast(nn.Module):
    """The published model in bf16, as torch itself casts it."""

    def __init__(self, model: PanEchoModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embedding as FP32."""
        with torch.autocast(clips.device.type, torch.bfloat16):
            logits, embedding = self.model(clips)
        return logits.float(), embedding.float()


def _served(module: nn.Module) -> torch.jit.ScriptModule:
    """Return the module as a server has it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        save(script(module), path)
        loaded: torch.jit.ScriptModule = torch.jit.load(path)  # type: ignore[no-untyped-call] # torch ships no type
    return loaded


def _difference(model: PanEchoModel, module: nn.Module, clips: Tensor, name: str) -> ExportParity:
    _PROGRESS.print(f"Comparing {name}")
    return compare(model, module, [clips], TASKS)


def _call(module: nn.Module, clips: Tensor) -> Callable[[], object]:
    def call() -> Tensor:
        logits: Tensor = module(clips)[0]
        return logits.cpu()  # on a GPU, wait for it

    return call


def _matrix_product(device: torch.device) -> Callable[[], object]:
    matrix = torch.randn(SIZE, SIZE, dtype=torch.bfloat16, device=device)

    def call() -> Tensor:
        return (matrix @ matrix)[0, 0].cpu()

    return call


def _operations(model: PanEchoModel, clips: Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        model(clips)
    return int(counter.get_total_flops())


def _row(name: str, clips: int, times: dict[str, Times], operations: int, difference: ExportParity) -> Row:
    peak = 2 * SIZE**3 / min(times[MATRIX].seconds)
    units = {task.key: task.unit for task in TASKS if task.kind == "regression"}
    worst = max(units, key=lambda key: difference.tasks[key])
    return Row(
        variant=name,
        clips=clips,
        milliseconds=times[name].median * 1e3,
        fastest=min(times[name].seconds) * 1e3,
        clips_per_second=clips / times[name].median,
        speed_up=statistics.median(times[EAGER].ratios(times[name])),
        peak=operations / times[name].median / peak,
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
            f"| {row.speed_up:.2f} | {row.peak:.0%} | {row.measurement.replace('|', '&#124;')} "
            f"| {row.probability:.1g} | {row.embedding:.1g} |"
            for row in rows
        ),
        *(f"\nLeft out: {reason}" for reason in left_out),
    ]


if __name__ == "__main__":
    sys.exit(main())
