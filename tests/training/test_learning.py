"""It learns: from videos of invented hearts, not from shuffled labels, and faster from weights that have learned."""

import csv
from pathlib import Path

import numpy as np
import pytest

from support.commands import invoke
from support.ellipse_videos import Hospital, write_videos

RECIPE = """
tasks: [EF, LVIDd]
image_encoder: test_convnext
layers: 1
layer_scale: 1.0
frame_size: 32
clip_length: 8
num_clips: 1
batch_size: 16
clips_per_pass: 16
learning_rate: 1.0e-3
patience: 100
"""


def trained(table: Path, output: Path, epochs: int, *options: str, init: str = "random") -> dict[str, float]:
    """Return the last row of the history."""
    recipe = output.with_suffix(".yaml")
    recipe.write_text(f"{RECIPE}epochs: {epochs}\n")
    named: tuple[str | Path, ...] = ("--init", init, "--recipe", recipe, "--output", output, "--workers", "0")
    result = invoke("train", table, *named, *options)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((output / "history.csv").open()))
    return {name: float(value) for name, value in rows[-1].items()}


def shuffled(table: Path) -> Path:
    """Return the table with the labels of other videos, so that nothing can be learned."""
    header, *lines = table.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    labels = [row[4:] for row in cells]
    order = np.random.default_rng(0).permutation(len(labels))
    mixed = table.with_name("shuffled.csv")
    rows = [",".join(row[:4] + label) for row, label in zip(cells, [labels[n] for n in order], strict=True)]
    mixed.write_text("\n".join([header, *rows]) + "\n")
    return mixed


@pytest.mark.long
def test_512_videos(tmp_path: Path) -> None:
    table = write_videos(tmp_path, 512)
    assert trained(table, tmp_path / "real", 6)["LVIDd r2"] >= 0.75
    assert trained(shuffled(table), tmp_path / "shuffled", 3)["LVIDd r2"] < 0.1


@pytest.mark.long
def test_the_beat_is_learned_and_helps_another_hospital(tmp_path: Path) -> None:
    """EF needs the beat. From these weights, 64 videos of other gain and size teach more than from random ones."""
    table = write_videos(tmp_path / "home", 1024)
    last = trained(table, tmp_path / "run", 8)
    assert last["EF r2"] >= 0.4
    assert last["LVIDd r2"] >= 0.75
    other = write_videos(
        tmp_path / "other", 128, seed=1, hospital=Hospital(size=48, gain=0.7, offset=30), splits=(0.5, 1.0)
    )
    tuned = trained(other, tmp_path / "tuned", 8, init=str(tmp_path / "run/best"))
    scratch = trained(other, tmp_path / "scratch", 8)
    assert tuned["EF mae"] <= 0.8 * scratch["EF mae"]
