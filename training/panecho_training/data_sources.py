"""Where a trainer's batches come from: clips that are read in each epoch, or embeddings that were computed once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from panecho_training.batch_order import BatchOrder
from panecho_training.clip_loader import Batch, EvaluationClips, TrainingClips, load
from panecho_training.errors import TrainingError
from panecho_training.losses import MultiTaskLoss, head_targets
from panecho_training.networks import Network
from panecho_training.ranks import Ranks
from panecho_training.recipe import Recipe
from panecho_training.table import Table
from panecho_training.validation import Logits, Scores, predict_videos, score

__all__ = ["ClipSource", "EmbeddingSource", "embed_videos", "read_embeddings"]

OnVideo = Callable[[], None]
Embeddings = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ClipSource:
    """Clips of videos.

    Attributes:
        train: Training split.
        val: Validation split; may be empty.
        recipe: Settings.
        loss: Of the tasks.
        ranks: The processes.
        autocast: In what the encoder is computed.
        workers: Processes that read, of each of the ranks.
        on_video: Called for each validated video.
    """

    train: Table
    val: Table
    recipe: Recipe
    loss: MultiTaskLoss
    ranks: Ranks
    autocast: Callable[[], torch.autocast]
    workers: int
    on_video: OnVideo = lambda: None

    def batches(self, order: BatchOrder, epoch: int, first_step: int) -> Iterator[Batch]:
        """Yield the passes of an epoch's updates."""
        clips = TrainingClips(self.train, head_targets(self.loss.tasks, self.train.labels), self.recipe)
        return load(clips, list(order.keys(epoch, first_step)), workers=self.workers)

    def validate(self, network: Network) -> Scores | None:
        """Return how good a network is on the validation split."""
        if not len(self.val):
            return None
        targets = head_targets(self.loss.tasks, self.val.labels)
        return score(network, self.loss, self.val, targets, self.predict(network, self.val))

    def predict(self, network: Network, table: Table) -> Logits:
        """Return what the heads compute of each video of a split, FP32 [N, heads]."""
        clips = EvaluationClips(table, head_targets(self.loss.tasks, table.labels), self.recipe)
        return predict_videos(
            network,
            clips,
            len(table),
            self.ranks,
            autocast=self.autocast,
            workers=self.workers,
            on_video=self.on_video,
        )

    def rows(self, videos: Sequence[int]) -> list[int]:
        """Return the rows of the table of training videos."""
        return [int(self.train.rows[video]) for video in videos]


@dataclass(frozen=True, kw_only=True)
class EmbeddingSource:
    """Embeddings of videos, the mean over their clips: of a linear head the same as the mean of its logits.

    Attributes:
        train: Training split.
        val: Validation split; may be empty.
        embeddings: FP32 [N, F] of each split, by its name.
        loss: Of the tasks.
        ranks: The processes.
    """

    train: Table
    val: Table
    embeddings: Mapping[str, Embeddings]
    loss: MultiTaskLoss
    ranks: Ranks

    def batches(self, order: BatchOrder, epoch: int, first_step: int) -> Iterator[Batch]:
        """Yield the passes of an epoch's updates."""
        inputs = torch.from_numpy(self.embeddings["train"])
        targets = torch.from_numpy(head_targets(self.loss.tasks, self.train.labels))
        for keys in order.keys(epoch, first_step):
            videos = [video for _, video in keys]
            yield Batch(videos, inputs[videos], targets[videos])

    def validate(self, network: Network) -> Scores | None:
        """Return how good a network's heads are on the validation split."""
        if not len(self.val):
            return None
        targets = head_targets(self.loss.tasks, self.val.labels)
        return score(network, self.loss, self.val, targets, self.predict(network, "val"))

    def predict(self, network: Network, split: str) -> Logits:
        """Return what the heads compute of each video of a split, FP32 [N, heads]."""
        network.eval()
        with torch.inference_mode():
            logits: Logits = network(torch.from_numpy(self.embeddings[split]).to(self.ranks.device)).cpu().numpy()
        return logits

    def rows(self, videos: Sequence[int]) -> list[int]:
        """Return the rows of the table of training videos."""
        return [int(self.train.rows[video]) for video in videos]


def embed_videos(  # noqa: PLR0913 - what is embedded, by what, where
    network: Network,
    table: Table,
    recipe: Recipe,
    ranks: Ranks,
    *,
    autocast: Callable[[], torch.autocast],
    workers: int,
    on_video: OnVideo = lambda: None,
) -> Embeddings:
    """Return the mean embedding over the clips of each video, FP32 [N, F], in every process."""
    clips = EvaluationClips(table, np.zeros((len(table), 0), np.float32), recipe)
    network.eval()
    found: dict[int, Embeddings] = {}
    with torch.inference_mode():
        keys = range(ranks.rank, len(table), ranks.world)
        for video, frames, _ in load(clips, keys, workers=workers, collate=False):
            with autocast():
                embedding = network.embed(torch.from_numpy(frames).to(ranks.device))
            found[video] = embedding.float().double().mean(dim=0).float().cpu().numpy()
            on_video()
    everything = {video: row for part in ranks.gather(found) for video, row in part.items()}
    rows = [everything[video] for video in range(len(table))]
    return np.stack(rows) if rows else np.zeros((0, network.encoder.features), np.float32)


def read_embeddings(path: Path, table: Table) -> Embeddings:
    """Return the embeddings of a table's videos from what `panecho embed` wrote, FP32 [N, 768].

    Raises:
        TrainingError: It cannot be read, or lacks a video of the table; the text names its row.
    """
    names, statuses, rows = _stored(path)
    places: dict[str, int] = {}
    for place, (name, status) in enumerate(zip(names, statuses, strict=True)):
        if status == "ok":
            places |= {name: place, str(Path(name).resolve()): place}
    found = [places.get(str(video.resolve()), places.get(str(video))) for video in table.videos]
    missing = [int(row) for row, place in zip(table.rows, found, strict=True) if place is None]
    if missing:
        raise TrainingError(
            f"{path} has no embedding of {len(missing)} videos, such as row {missing[0]} of the table; write it with "
            "`panecho embed --include-identifiers`, so that it names files by their paths."
        )
    return np.stack([rows[place] for place in found if place is not None]).astype(np.float32)


def _stored(path: Path) -> tuple[list[str], list[str], Sequence[Embeddings]]:
    try:
        if path.suffix == ".parquet":
            from pyarrow import parquet  # noqa: PLC0415 - only for files of this kind

            table = parquet.read_table(path)
            columns = [table[name].to_pylist() for name in ("video", "status", "embedding")]
            return columns[0], columns[1], [np.array(row or [], np.float32) for row in columns[2]]
        with np.load(path) as stored:
            return stored["video"].tolist(), stored["status"].tolist(), list(stored["embedding"])
    except (OSError, KeyError, ValueError, ImportError) as error:
        raise TrainingError(f"{path} is not a file of embeddings that `panecho embed` wrote ({error}).") from None
