"""Writes what `gpu.py` found: JSON and a table."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_gpu_report(findings: Mapping[str, Any], folder: Path, name: str) -> None:
    """Write ``NAME.json`` and ``NAME.md`` into a folder and print the table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(findings, indent=2) + "\n")
    text = "\n".join(_lines(findings)) + "\n"
    (folder / f"{name}.md").write_text(text)
    sys.stdout.write(text)


def _lines(findings: Mapping[str, Any]) -> list[str]:
    return [
        "# The backbone on a GPU",
        "",
        "    PYTHONPATH=tests python -m benchmarks.gpu",
        "",
        "; ".join(f"{name}: {value}" for name, value in findings["machine"].items()) + ".",
        "",
        "| precision | embedding off by | task that is furthest off | by |",
        "|---|---|---|---|",
        *(
            f"| {row['precision']} | {row['embedding']:.1g} | {row['task']} | {row['off_by']:.1g} |"
            for row in findings["numbers"]
        ),
        "",
        "| variant | clips | clips/s | ms | of bf16 peak | MiB |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row['variant']} | {row['clips']} | {row['clips_per_second']:.1f} | {row['milliseconds']:.1f} "
            f"| {row['of_bf16_peak']:.0%} | {'' if row['memory_mib'] is None else round(row['memory_mib'])} |"
            for row in findings["speeds"]
        ),
        "",
        "| operator of ours in bf16 | calls | share of time |",
        "|---|---|---|",
        *(f"| {row['operator']} | {row['calls']} | {row['share']:.1%} |" for row in findings["operators"]),
        *(f"\nLeft out: {reason}." for reason in findings["left_out"]),
    ]
