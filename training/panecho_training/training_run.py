"""One run from a table to a checkpoint: checks, weights, loop, evaluation, model card."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch.nn import SyncBatchNorm

from panecho_model.checkpoint_record import CheckpointRecord
from panecho_model.tasks import TASKS, Task
from panecho_preprocessing import available_cores
from panecho_training.data_sources import ClipSource, EmbeddingSource, embed_videos, read_embeddings
from panecho_training.errors import RunError, listed
from panecho_training.initialisation import Initialisation, Origin, initialise, why_not_served
from panecho_training.losses import MultiTaskLoss, balanced_weights
from panecho_training.networks import Network, VideoEncoder
from panecho_training.precision import chosen_precision, make_autocast
from panecho_training.ranks import Ranks
from panecho_training.recipe import Recipe
from panecho_training.run_evaluation import evaluate_best, package_versions
from panecho_training.run_folder import RunFolder
from panecho_training.run_watcher import RunWatcher, resume_faults, stop_signal
from panecho_training.splits import Splits, read_splits
from panecho_training.trainer import Trainer

__all__ = ["TrainingRun"]


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """A run.

    Attributes:
        table: Table of labelled videos.
        recipe: Settings.
        start: Where the weights come from.
        output: Folder of the run.
        ranks: The processes.
        console: Where it tells what it does.
        resume: Whether to go on with the run in the folder.
        workers: Processes that read videos, of each of the ranks; None for one per core that is left.
        embeddings: What `panecho embed` wrote of the table's videos, for a frozen backbone.
        tensorboard: Whether to write events for TensorBoard.
    """

    table: Path
    recipe: Recipe
    start: Initialisation
    output: Path
    ranks: Ranks
    console: Console
    resume: bool = False
    workers: int | None = None
    embeddings: Path | None = None
    tensorboard: bool = False

    def run(self) -> bool:
        """Train and evaluate; return False if it was asked to stop before the end, and is saved.

        Raises:
            TrainingError: The table has faults, settings contradict each other, or the run cannot go on.
            CheckpointError: The file of weights cannot be read.
        """
        splits, tasks = read_splits(self.table, self.recipe, self._say)
        folder = RunFolder(self.output)
        if self.ranks.is_first:
            folder.start(self.recipe, resume=self.resume)
        self.ranks.wait()
        network, origin = initialise(self.start, self.recipe, tasks, splits["train"])
        self._say(origin.summary())
        network = self._placed(network)
        loss = MultiTaskLoss(tasks, self.recipe.loss, _class_weights(self.recipe, tasks, splits))
        data = self._data(network, splits, loss, folder)
        with stop_signal() as stop:
            watcher = RunWatcher(
                folder=folder,
                recipe=self.recipe,
                ranks=self.ranks,
                identity=self._identity(splits),
                record=lambda row: self._record(tasks, origin, splits, row),
                kept=origin.kept[1],
                stop=stop,
                console=self.console,
                tensorboard=self.tensorboard,
            )
            trainer = Trainer(
                network,
                recipe=self.recipe,
                loss=loss,
                data=data,
                videos=len(splits["train"]),
                ranks=self.ranks,
                watcher=watcher,
            )
            if self.resume:
                self._restore(trainer, folder, watcher.identity)
            with watcher.shown():
                if not trainer.run():
                    self._say(f"Stopped and saved. Go on with the same command and --resume: {self.output}")
                    return False
        best = trainer.progress.best_epoch + 1
        evaluate_best(
            self.recipe, network, data, splits, origin=origin, folder=folder, best_epoch=best, ranks=self.ranks
        )
        self._say(f"Wrote {folder.path}: best.pt (epoch {best}), model-card.md, curves.html")
        return True

    def _placed(self, network: Network) -> Network:
        """Return the network on its device, with the recipe's ways to save memory and time."""
        encoder: Any = network.encoder
        if self.recipe.gradient_checkpointing and not isinstance(encoder, VideoEncoder):
            getattr(encoder.image, "trunk", encoder.image).set_grad_checkpointing(enable=True)
        if self.ranks.device.type == "cuda":
            if isinstance(encoder, VideoEncoder) and self.ranks.world > 1:
                network = SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # torch
            elif not isinstance(encoder, VideoEncoder):
                encoder.image.to(memory_format=torch.channels_last)
        if self.recipe.compile:
            encoder.compile()
        return network.to(self.ranks.device, torch.float64 if self.recipe.precision == "fp64" else None)

    def _data(
        self, network: Network, splits: Splits, loss: MultiTaskLoss, folder: RunFolder
    ) -> ClipSource | EmbeddingSource:
        device = self.ranks.device
        autocast = make_autocast(chosen_precision(self.recipe.precision, device), device)
        local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        workers = max(available_cores() // local - 1, 0) if self.workers is None else self.workers
        if self.recipe.freeze != "backbone":
            return ClipSource(
                train=splits["train"],
                val=splits["val"],
                recipe=self.recipe,
                loss=loss,
                ranks=self.ranks,
                autocast=autocast,
                workers=workers,
            )
        embeddings = {}
        for name, split in splits.items():
            if self.embeddings is not None:
                embeddings[name] = read_embeddings(self.embeddings, split)
                continue
            self._say(f"Embedding the {len(split)} videos of split {name} …")
            embeddings[name] = embed_videos(network, split, self.recipe, self.ranks, autocast=autocast, workers=workers)
        if self.ranks.is_first:
            folder.save_embeddings(embeddings)
        return EmbeddingSource(
            train=splits["train"], val=splits["val"], embeddings=embeddings, loss=loss, ranks=self.ranks
        )

    def _identity(self, splits: Splits) -> dict[str, Any]:
        """Return what must be the same when the run is resumed."""
        init = f"{self.start.kind} {self.start.seed if self.start.path is None else self.start.path.resolve()}"
        recipe = self.recipe.model_dump_json()
        return {"table": splits["train"].sha256, "recipe": recipe, "init": init, "versions": package_versions()}

    def _restore(self, trainer: Trainer, folder: RunFolder, identity: dict[str, Any]) -> None:
        state = folder.load_state()
        faults = resume_faults(state, identity)
        if faults:
            raise RunError(
                f"{self.output} cannot be resumed:{listed(faults)}\nGive it the same, or start a run with another "
                "--output."
            )
        trainer.restore(state["trainer"])

    def _record(self, tasks: tuple[Task, ...], origin: Origin, splits: Splits, row: dict[str, Any]) -> CheckpointRecord:
        everything = {task.key: task for task in (*tasks, *origin.kept[0])}
        released = [task.key for task in TASKS]
        ordered = sorted(everything, key=lambda key: released.index(key) if key in released else len(released))
        numbers = {name: value for name, value in row.items() if not isinstance(value, float) or np.isfinite(value)}
        return CheckpointRecord(
            tasks=tuple(everything[key] for key in ordered),
            clip_length=self.recipe.clip_length,
            clip_options=_other_clip_options(self.recipe),
            served=why_not_served(self.recipe, self.start.kind),
            fine_tuned_from=origin.name,
            fine_tuned_from_sha256=origin.sha256,
            licence=origin.licence,
            stand_in=origin.stand_in,
            details={
                "recipe": self.recipe.model_dump(mode="json"),
                "table_sha256": splits["train"].sha256,
                "epoch": numbers,
                "versions": package_versions(),
            },
        )

    def _say(self, text: str) -> None:
        if self.ranks.is_first:
            self.console.print(text, markup=False)


def _class_weights(recipe: Recipe, tasks: tuple[Task, ...], splits: Splits) -> dict[str, NDArray[np.float64]]:
    """Return the weights of the classes, in the order of the heads' targets."""
    if recipe.class_weights == "none":
        return {}
    labels = splits["train"].labels
    return {
        task.key: balanced_weights(task, 1 - labels[task.key] if task.inverted else labels[task.key])
        for task in tasks
        if task.kind != "regression"
    }


def _other_clip_options(recipe: Recipe) -> dict[str, Any]:
    """Return the choices of clips that differ from what a server does by default."""
    names = ("frame_stride", "frame_rate", "max_frames", "framing", "mask", "crop", "colour")
    chosen = {name: getattr(recipe, name) for name in names}
    usual = {name: Recipe.model_fields[name].default for name in chosen}
    return {name: value for name, value in chosen.items() if value != usual[name]}
