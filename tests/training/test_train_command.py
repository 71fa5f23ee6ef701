"""``panecho train`` as a user runs it: to its end, stopped and resumed, by two processes, with faults."""

import csv
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from panecho_model.checkpoint_files import read_checkpoint
from panecho_training.batch_order import BatchOrder
from panecho_training.losses import MultiTaskLoss
from panecho_training.run_folder import RunFolder
from panecho_training.run_watcher import RunWatcher
from support.commands import Result, invoke

TORCHRUN = Path(sys.executable).with_name("torchrun")
PANECHO = Path(sys.executable).with_name("panecho")
WATCHDOG = 120


def train(table: Path, recipe: Path, output: Path, *options: str, init: str = "random", workers: int = 0) -> Result:
    named: tuple[str | Path, ...] = ("--init", init, "--recipe", recipe, "--output", output, f"--workers={workers}")
    return invoke("train", table, *named, *options)


def succeeded(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def weights_of(run: Path, name: str = "last.pt") -> dict[str, torch.Tensor]:
    return read_checkpoint(run / name)[0]


def history(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "history.csv").open()))


def same_run(one: Path, other: Path) -> None:
    """Two runs have the same weights, bit for bit, and the same history."""
    assert history(one) == history(other)
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@contextmanager
def after_update(number: int, act: Callable[[], object]) -> Iterator[None]:
    """Do something once, when an update of the run is done."""
    seen = 0
    original = RunWatcher.step

    def step(watcher: RunWatcher, *arguments: Any) -> None:  # noqa: ANN401 - as the method's
        nonlocal seen
        original(watcher, *arguments)
        seen += 1
        if seen == number:
            act()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunWatcher, "step", step)
        yield


@pytest.fixture(scope="module")
def whole(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four epochs with everything that a resumed run has to restore."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "recipe.yaml").write_text(RESUMED)
    succeeded(train(videos, folder / "recipe.yaml", folder / "run"))
    return folder


RESUMED = """
name: tiny
tasks: [EF, LVIDd]
image_encoder: test_convnext
layers: 1
layer_scale: 1.0
frame_size: 32
clip_length: 4
num_clips: 2
batch_size: 4
clips_per_pass: 2
learning_rate: 1.0e-3
epochs: 4
augment: true
head_dropout: 0.2
schedule: plateau
plateau_patience: 0
warm_up_epochs: 0.5
average_weights: 0.9
clip_gradient: 1.0
head_learning_rate_factor: 2
"""


def test_a_run_leaves_what_it_says(whole: Path) -> None:
    run = whole / "run"
    names = {path.name for path in run.iterdir()}
    assert names == {
        *("best.pt", "last.pt", "state.pt", "recipe.yaml", "history.csv", "log.jsonl", "curves.html", "metrics.json"),
        *("model-card.md", "predictions-val.csv", "predictions-test.csv"),
    }
    rows = history(run)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert {"train_loss", "val_loss", "val_score", "EF mae", "EF r2", "LVIDd r2", "learning_rate"} <= rows[0].keys()
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["epoch"] * 4
    assert events[0]["clips_per_second"] > 0
    page = (run / "curves.html").read_text()
    assert "<script" not in page
    assert "http" not in page
    card = (run / "model-card.md").read_text()
    assert "| EF |  | mae |" in card
    assert "| train | 9 | 9 | 9 |" in card
    record = read_checkpoint(run / "best.pt")[1]
    assert [task.key for task in record.tasks] == ["EF", "LVIDd"]
    assert record.details["recipe"]["epochs"] == 4
    assert len(record.details["table_sha256"]) == 64
    assert "v1" not in card + page  # no name of a patient
    assert re.search(r"learning_rate: 0.001\n", (run / "recipe.yaml").read_text())


def test_stopped_and_resumed_is_the_same_run(videos: Path, whole: Path, tmp_path: Path) -> None:
    """Stopped in the middle of the third epoch: each has two updates, and the fifth notices."""
    with after_update(4, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        stopped = succeeded(train(videos, whole / "recipe.yaml", tmp_path / "run"))
    assert "Stopped and saved" in stopped.stderr
    assert len(history(tmp_path / "run")) == 2
    succeeded(train(videos, whole / "recipe.yaml", tmp_path / "run", "--resume"))
    same_run(tmp_path / "run", whole / "run")


def test_killed_while_it_writes_it_goes_on_from_the_state_before(
    videos: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Stands for SIGKILL: nothing of the program runs after it."""

    original, calls = torch.save, 0

    def save(content: object, path: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == 9:  # in the third epoch
            path.write_bytes(b"half of a checkpoint")
            raise Killed
        original(content, path)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", save)
        with pytest.raises(Killed):
            train(videos, whole / "recipe.yaml", tmp_path / "run")
    assert weights_of(tmp_path / "run", "best.pt")
    succeeded(train(videos, whole / "recipe.yaml", tmp_path / "run", "--resume"))
    same_run(tmp_path / "run", whole / "run")


def test_workers_and_passes_change_nothing(videos: Path, tiny: Path, tmp_path: Path) -> None:
    succeeded(train(videos, tiny, tmp_path / "a", "--set", "epochs=1"))
    succeeded(train(videos, tiny, tmp_path / "b", "--set", "epochs=1", workers=1))
    same_run(tmp_path / "a", tmp_path / "b")
    exact = ("--set", "epochs=1", "--set", "precision=fp64")  # in fp32, Adam makes steps of what is rounding
    succeeded(train(videos, tiny, tmp_path / "c", *exact))
    succeeded(train(videos, tiny, tmp_path / "d", *exact, "--set", "clips_per_pass=4"))
    alone = weights_of(tmp_path / "d")
    for name, tensor in weights_of(tmp_path / "c").items():
        torch.testing.assert_close(tensor, alone[name], rtol=0, atol=1e-6)


def test_another_recipe_or_table_is_not_resumed(videos: Path, whole: Path, tmp_path: Path) -> None:
    result = train(videos, whole / "recipe.yaml", whole / "run", "--resume", "--set", "learning_rate=0.01")
    assert result.exit_code == 1
    assert "learning_rate was 0.001 and is 0.01" in result.stderr
    other = videos.parent / "other.csv"
    other.write_text(videos.read_text().replace("v1,v1", "w1,w1"))
    result = train(other, whole / "recipe.yaml", whole / "run", "--resume")
    assert "the table of videos has changed" in result.stderr
    result = train(videos, whole / "recipe.yaml", whole / "run")
    assert "holds a run; go on with --resume" in result.stderr
    result = train(videos, whole / "recipe.yaml", tmp_path, "--resume")
    assert "holds no run to resume" in result.stderr


@pytest.mark.long
def test_two_processes_are_one(videos: Path, tmp_path: Path) -> None:
    """EF is labelled for one process's videos alone, so that the other has no label of it in the first update."""
    lines = videos.read_text().splitlines()
    batch = {video for part in BatchOrder(videos=9, batch_size=4, clips_per_pass=4).passes(0, 0) for _, video in part}
    share = BatchOrder(videos=9, batch_size=4, clips_per_pass=4, rank=1, world=2).passes(0, 0)
    silent = {video for part in share for _, video in part}
    assert silent < batch
    for video in silent:
        cells = lines[1 + video].split(",")
        lines[1 + video] = ",".join([*cells[:4], "", ""])
    table = videos.parent / "gaps.csv"
    table.write_text("\n".join(lines) + "\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RESUMED.replace("head_dropout: 0.2", "precision: fp64").replace("epochs: 4", "epochs: 2"))
    options: list[str | Path] = ["--init", "random", "--recipe", recipe, "--workers", "0", "--device", "cpu"]
    launch = [TORCHRUN, "--standalone", "--nproc-per-node", "2", "--no-python", PANECHO, "train", table, *options]
    done = subprocess.run(
        [*launch, "--output", tmp_path / "two"],
        capture_output=True,
        text=True,
        check=False,
        timeout=WATCHDOG,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    succeeded(train(table, recipe, tmp_path / "one"))
    one, two = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=0, atol=1e-6)
    assert len((tmp_path / "two" / "predictions-val.csv").read_text().splitlines()) == 4
    for row, other in zip(history(tmp_path / "one"), history(tmp_path / "two"), strict=True):
        assert row.keys() == other.keys()
        first, second = ([float(value) for value in of.values()] for of in (row, other))
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-5)


def test_a_loss_that_is_no_number_is_explained(
    videos: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = MultiTaskLoss.each

    def each(loss: MultiTaskLoss, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        values = original(loss, logits, targets)
        values[0, 1] = torch.nan
        return values

    monkeypatch.setattr(MultiTaskLoss, "each", each)
    result = train(videos, tiny, tmp_path / "run")
    assert result.exit_code == 1
    message = " ".join(result.stderr.split())
    assert re.search(r"the loss is not a number at update 1 of epoch 1: task LVIDd, rows [\d, ]+ of the table", message)
    assert "Traceback" not in message


def test_a_full_disk_is_one_sentence(videos: Path, tiny: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk without room for a checkpoint."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        result = train(videos, tiny, tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    assert "go on with --resume" in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert [path.name for path in (tmp_path / "run").glob(".*")] == []


def test_a_dead_worker_is_one_sentence(
    videos: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = os.getpid()

    def die(*_: object, **__: object) -> None:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr("panecho_training.clip_loader.clip_at", die)
    result = train(videos, tiny, tmp_path / "run", workers=1)
    assert result.exit_code == 1
    assert "a worker that reads videos was ended by the system" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--for-serving",), "this run could not be served: its image encoder is test_convnext"),
        (("--set", "precision=fp16"), "precision fp16 needs a GPU"),
        (("--set", "epochz=3", "--set", "clip_length=999"), "epochz"),
        (("--set", "tasks=[EFF]"), "no task 'EFF'; did you mean EF"),
        (("--set", "tasks=[GLS]"), "no column of a task"),
        (("--set", "folds=10", "--set", "fold=1"), "the table has 0 folds and the recipe 10"),
        (("--device", "cuda:9"), "device 'cuda:9' cannot be used"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    videos: Path, tiny: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = train(videos, tiny, tmp_path / "run", *options)
    assert result.exit_code == 1
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run" / "best.pt").exists()


def test_a_table_with_faults_is_refused_with_all_of_them(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("video,split,EF\na.avi,train,5000\nb.avi,nowhere,fifty\n")
    result = train(tmp_path / "table.csv", tiny, tmp_path / "run")
    assert result.exit_code == 1
    for fault in ("row 2: no such file", "row 2, EF: 5000 %", "row 3, EF: 'fifty'", "split 'nowhere'"):
        assert fault in result.stderr
    assert not (tmp_path / "run").exists()


def test_bf16_loses_little(videos: Path, tiny: Path, tmp_path: Path) -> None:
    for precision in ("fp32", "bf16"):
        options = ("--set", f"precision={precision}", "--set", "epochs=5", "--set", "loss=standardised")
        succeeded(train(videos, tiny, tmp_path / precision, *options))
    full, half = (float(history(tmp_path / name)[-1]["train_loss"]) for name in ("fp32", "bf16"))
    assert half != full
    assert half == pytest.approx(full, rel=0.05)


def test_a_frozen_image_encoder_stays_bit_for_bit(videos: Path, tiny: Path, tmp_path: Path) -> None:
    succeeded(train(videos, tiny, tmp_path / "a", "--set", "freeze=image", "--set", "epochs=1"))
    succeeded(train(videos, tiny, tmp_path / "b", "--set", "freeze=image", "--set", "epochs=2"))
    one, two = weights_of(tmp_path / "a"), weights_of(tmp_path / "b")
    changed = {name for name in one if not torch.equal(one[name], two[name])}
    assert changed
    assert not {name for name in changed if name.startswith("encoder.encoder.")}


def test_all_folds_are_joined(videos: Path, tiny: Path, tmp_path: Path) -> None:
    lines = videos.read_text().splitlines()
    folded = [lines[0], *(re.sub("train|val|test", str(n % 3), line) for n, line in enumerate(lines[1:]))]
    table = videos.parent / "folds.csv"
    table.write_text("\n".join(folded) + "\n")
    result = succeeded(train(table, tiny, tmp_path / "run", "--set", "folds=3", "--set", "epochs=1"))
    assert "the union of the test folds" in result.stderr
    (union,) = json.loads((tmp_path / "run/metrics.json").read_text()).values()
    (mae,) = [row for row in union if (row["task"], row["metric"]) == ("EF", "mae")]
    assert mae["studies"] == 15
    files = [tmp_path / f"run/fold-{fold}/predictions-test.csv" for fold in range(3)]
    tested = [row["row"] for file in files for row in csv.DictReader(file.open())]
    assert sorted(map(int, tested)) == list(range(2, 17))


def test_run_folder_refuses_what_is_not_empty(tmp_path: Path, videos: Path, tiny: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    result = train(videos, tiny, tmp_path)
    assert "is not empty; name another --output" in result.stderr
    assert RunFolder(tmp_path).path == tmp_path
