"""Heads on a frozen backbone: embeddings are computed once, and the heads learn in seconds."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from panecho_client.outputs.embedding_files import write_embeddings
from panecho_model.checkpoint_files import read_checkpoint
from panecho_model.tasks import TASKS, find_tasks
from panecho_training.batch_order import BatchOrder
from panecho_training.data_sources import EmbeddingSource, embed_videos, read_embeddings
from panecho_training.errors import TrainingError
from panecho_training.initialisation import Initialisation, initialise
from panecho_training.losses import MultiTaskLoss
from panecho_training.networks import Network
from panecho_training.precision import make_autocast
from panecho_training.ranks import Ranks
from panecho_training.recipe import Recipe
from panecho_training.splits import read_splits
from panecho_training.table import Table, read_table
from panecho_training.task_choice import with_statistics
from panecho_training.trainer import Trainer
from support.commands import invoke

CPU = Ranks(device=torch.device("cpu"))
PROBE = """
name: probe
tasks: [EF, LVIDd]
freeze: backbone
image_encoder: test_convnext
layers: 1
layer_scale: 1.0
frame_size: 32
clip_length: 4
num_clips: 2
batch_size: 9
clips_per_pass: 9
learning_rate: 0.01
epochs: 5
"""


@pytest.fixture(scope="module")
def probed(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe")
    (folder / "probe.yaml").write_text(PROBE)
    options = ("--init", "random", "--recipe", folder / "probe.yaml", "--output", folder / "run", "--workers", "0")
    result = invoke("train", videos, *options)
    assert result.exit_code == 0, result.output
    return folder


def test_heads_alone_learn(probed: Path, videos: Path) -> None:
    recipe = Recipe.read(probed / "probe.yaml")
    splits, tasks = read_splits(videos, recipe, print)
    before, _ = initialise(Initialisation.parse("random"), recipe, tasks, splits["train"])
    after = read_checkpoint(probed / "run/best")[0]
    from_start = dict(before.encoder.state_dict())
    assert torch.equal(
        after["encoder.transformer.layers.0.linear1.weight"], from_start["transformer.layers.0.linear1.weight"]
    )
    assert torch.equal(after["encoder.encoder.model.features.0.0.weight"], from_start["image.stem.0.weight"])
    rows = list(csv.DictReader((probed / "run/history.csv").open()))
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])


def test_kept_embeddings_are_those_computed_again(probed: Path, videos: Path) -> None:
    recipe = Recipe.read(probed / "probe.yaml")
    splits, tasks = read_splits(videos, recipe, print)
    network, _ = initialise(Initialisation.parse("random"), recipe, tasks, splits["train"])
    again = embed_videos(network, splits["train"], recipe, CPU, autocast=make_autocast("fp32", CPU.device), workers=0)
    with np.load(probed / "run/embeddings.npz") as kept:
        np.testing.assert_allclose(kept["train"], again, rtol=0, atol=1e-6)


def test_embeddings_of_a_server(probed: Path, videos: Path, tmp_path: Path) -> None:
    """As `panecho embed --include-identifiers` writes them: by the paths of the files."""
    table, _ = read_table(videos, find_tasks(["EF", "LVIDd"]))
    with np.load(probed / "run/embeddings.npz") as kept:
        rows = np.concatenate([kept[name] for name in ("train", "val", "test")])
    order = np.random.default_rng(0).permutation(len(rows))
    names = [str(table.videos[place].resolve()) for place in order]
    for suffix in (".npz", ".parquet"):
        file = tmp_path / f"embeddings{suffix}"
        write_embeddings(file, names, [rows[place] for place in order])
        run = tmp_path / suffix[1:]
        options = ("--init", "random", "--recipe", probed / "probe.yaml", "--output", run, "--embeddings", file)
        result = invoke("train", videos, *options)
        assert result.exit_code == 0, result.output
        assert (run / "history.csv").read_text() == (probed / "run/history.csv").read_text()
    write_embeddings(tmp_path / "fewer.npz", names[:3], [rows[place] for place in order[:3]])
    result = invoke("train", videos, *options[:4], "--output", tmp_path / "x", "--embeddings", tmp_path / "fewer.npz")
    assert "has no embedding of" in result.stderr


def planted(count: int, features: int) -> tuple[Table, NDArray[np.float32]]:
    """Videos whose embedding decides their EF by a line, and whether their bicuspid valve is named by a plane."""
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(count, features)).astype(np.float32)
    line = random.normal(size=features)
    labels = {
        "EF": 55 + 6 * embeddings @ line / np.sqrt(features),
        "AVStructure": (embeddings @ line > 0).astype(float),
    }
    names = tuple(map(str, range(count)))
    table = Table(
        path=Path("planted"),
        sha256="",
        rows=np.arange(count),
        videos=tuple(map(Path, names)),
        studies=names,
        patients=names,
        splits=("train",) * count,
        tasks=find_tasks(["EF", "AVStructure"]),
        labels=labels,
    )
    return table, embeddings


def test_a_planted_rule_is_found() -> None:
    table, embeddings = planted(600, 32)
    train, val = table.take(range(450)), table.take(range(450, 600))
    tasks = tuple(with_statistics(task, train) for task in train.tasks)
    recipe = Recipe(
        freeze="backbone", batch_size=150, clips_per_pass=150, learning_rate=0.05, schedule="cosine", epochs=60
    )

    class Encoder(torch.nn.Module):
        features = 32

    network = Network(Encoder(), tasks, standardised=True)  # type: ignore[arg-type]  # nothing is encoded
    loss = MultiTaskLoss(tasks, "standardised")
    parts = {"train": embeddings[:450], "val": embeddings[450:]}
    data = EmbeddingSource(train=train, val=val, embeddings=parts, loss=loss, ranks=CPU)

    class Watcher:
        def step(self, *_: object) -> None: ...
        def epoch(self, *_: object, **__: object) -> None: ...
        def stop_asked(self) -> bool:
            return False

        def save(self, *_: object) -> None: ...

    trainer = Trainer(network, recipe=recipe, loss=loss, data=data, videos=450, ranks=CPU, watcher=Watcher())
    assert trainer.run()
    metrics = trainer.progress.history[-1]
    assert metrics["EF r2"] > 0.99
    assert metrics["AVStructure auroc"] > 0.98
    assert BatchOrder(videos=450, batch_size=150, clips_per_pass=150).steps == 3


def test_other_heads_are_kept(videos: Path, tmp_path: Path) -> None:
    """All 40 heads are saved, two of them trained; only with a backbone that has not changed."""
    options = (
        "--recipe",
        "linear-probe",
        "--set",
        "tasks=[EF, LVIDd]",
        "--set",
        "keep_heads=true",
        "--set",
        "epochs=1",
    )
    table, _ = read_table(videos, TASKS)
    file = tmp_path / "embeddings.npz"
    random = np.random.default_rng(0)
    rows = random.normal(size=(len(table), 768)).astype(np.float32)
    write_embeddings(file, [str(video.resolve()) for video in table.videos], list(rows))
    result = invoke(
        "train", videos, *options, "--init", "stand-in=0", "--output", tmp_path / "run", "--embeddings", file
    )
    assert result.exit_code == 0, result.output
    tensors, record = read_checkpoint(tmp_path / "run/best")
    assert [task.key for task in record.tasks] == [task.key for task in TASKS]
    assert record.stand_in
    assert "GLS_head.1.weight" in tensors


def test_embeddings_need_a_frozen_backbone(videos: Path, tmp_path: Path) -> None:
    options = ("--init", "random", "--output", tmp_path / "run", "--embeddings", tmp_path / "x.npz")
    result = invoke("train", videos, *options)
    assert (result.exit_code, "--embeddings goes with a frozen backbone" in result.stderr) == (2, True)


def test_a_file_that_holds_no_embeddings(tmp_path: Path, videos: Path) -> None:
    table, _ = read_table(videos, TASKS)
    (tmp_path / "x.npz").write_bytes(b"no arrays")
    with pytest.raises(TrainingError, match="is not a file of embeddings"):
        read_embeddings(tmp_path / "x.npz", table)
