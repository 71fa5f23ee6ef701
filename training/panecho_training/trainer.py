"""The loop: epochs of updates, validation after each, checkpoints, an end that can be resumed."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from panecho_training.batch_order import DROPOUT, BatchOrder, random_of
from panecho_training.clip_loader import Batch
from panecho_training.errors import RunError, TrainingError
from panecho_training.learning_rate import LearningRate
from panecho_training.loss_faults import explain_loss
from panecho_training.losses import MultiTaskLoss
from panecho_training.networks import Network
from panecho_training.precision import chosen_precision, make_autocast, make_scaler
from panecho_training.ranks import Ranks
from panecho_training.recipe import Recipe
from panecho_training.run_parts import Data, Progress, Watcher
from panecho_training.validation import Scores

__all__ = ["Trainer"]


class Trainer:
    """A run in progress.

    Args:
        network: To train, on the device of ``ranks``.
        recipe: Settings.
        loss: Of a batch.
        data: Batches and validation.
        videos: Number of training videos.
        ranks: The processes.
        watcher: Sees updates and epochs, and saves.
    """

    def __init__(  # noqa: PLR0913 - what a run is made of
        self,
        network: Network,
        *,
        recipe: Recipe,
        loss: MultiTaskLoss,
        data: Data,
        videos: int,
        ranks: Ranks,
        watcher: Watcher,
    ) -> None:
        self.network, self.recipe, self.loss, self.data, self.ranks = network, recipe, loss, data, ranks
        self.watcher = watcher
        self.order = BatchOrder(
            videos=videos,
            batch_size=recipe.batch_size,
            clips_per_pass=recipe.clips_per_pass,
            rank=ranks.rank,
            world=ranks.world,
            seed=recipe.seed,
        )
        precision = chosen_precision(recipe.precision, ranks.device)
        self.autocast = make_autocast(precision, ranks.device)
        self.scaler = make_scaler(precision, ranks.device)
        self.rate = LearningRate(recipe, self.order.steps)
        self.progress = Progress()
        self._freeze()
        self.optimiser = self._optimiser()
        self.average: AveragedModel | None = None
        if recipe.average_weights is not None:
            self.average = AveragedModel(
                network,
                multi_avg_fn=get_ema_multi_avg_fn(recipe.average_weights),  # type: ignore[no-untyped-call]  # torch
            )
        self._parallel = self._distributed()

    @property
    def trained(self) -> Network:
        """The network to validate and save: the average of the weights where there is one."""
        if self.average is None:
            return self.network
        average: Any = self.average.module
        network: Network = average
        return network

    def run(self) -> bool:
        """Train to the end; return False if it was asked to stop before.

        Raises:
            TrainingError: The loss is not a number, or a video cannot be read.
        """
        progress = self.progress
        while not progress.finished and progress.epoch < self.recipe.epochs:
            stop = self._epoch()
            if progress.step < self.order.steps:
                self.watcher.save(self)
                return False
            self._end_epoch(self.data.validate(self.trained))
            if stop and not progress.finished:
                return False
        return True

    def _epoch(self) -> bool:
        """Do the updates that are left of the epoch, or until it is asked to stop; return whether it was."""
        progress = self.progress
        batches = self.data.batches(self.order, progress.epoch, progress.step)
        for step in range(progress.step, self.order.steps):
            count = len(self.order.passes(progress.epoch, step))
            passes = [next(batches) for _ in range(count)]
            loss, stop = self._update(passes)
            progress.step, progress.loss_sum = step + 1, progress.loss_sum + loss
            self.watcher.step(progress, self.order.steps, loss, self.order.size)
            if stop:
                return True
        return False

    def _update(self, passes: Sequence[Batch]) -> tuple[float, bool]:
        """Do one update; return its loss, and whether any process was asked to stop."""
        device = self.ranks.device
        self.network.train()
        self._rest_frozen()
        targets = [batch.targets.to(device, non_blocking=True) for batch in passes]
        totals = self.ranks.sum(self.loss.totals(torch.cat(targets)))
        if not bool(totals.any()):
            return 0.0, False
        update = self.progress.epoch * self.order.steps + self.progress.step
        self._seed(update)
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * self.rate.factor(update)
        self.optimiser.zero_grad(set_to_none=True)
        shares = []
        for number, (batch, wanted) in enumerate(zip(passes, targets, strict=True)):
            share = self._backward(batch.inputs, wanted, totals, last=number == len(passes) - 1)
            shares.append(share)
        asked = torch.tensor(float(self.watcher.stop_asked()), dtype=torch.float64, device=device)
        loss, stop = self.ranks.sum(torch.stack((torch.stack(shares).double().sum(), asked))).tolist()
        if not math.isfinite(loss):
            raise TrainingError(self._not_a_number(passes, targets))
        self._step()
        return loss, stop > 0

    def _backward(self, inputs: Tensor, targets: Tensor, totals: Tensor, *, last: bool) -> Tensor:
        """Add the gradient of one pass; exchange it with the other processes after the last."""
        module = self._parallel or self.network
        if self._parallel is not None:
            self._parallel.require_backward_grad_sync = last
        with self.autocast():
            logits = module(inputs.to(self.ranks.device, non_blocking=True))
        share: Tensor = self.loss(logits, targets, totals)
        # The gradients of the processes are averaged, and their shares of the loss add up.
        self.scaler.scale(share * self.ranks.world).backward()  # type: ignore[no-untyped-call]  # torch
        return share.detach()

    def _step(self) -> None:
        if self.recipe.clip_gradient is not None:
            self.scaler.unscale_(self.optimiser)
            parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.recipe.clip_gradient)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.network)

    def _end_epoch(self, scores: Scores | None) -> None:
        """Take note of an epoch: its row, the schedule, whether it is the best, whether it is the last."""
        progress, recipe = self.progress, self.recipe
        loss = progress.loss_sum / self.order.steps
        row: dict[str, Any] = {
            "epoch": progress.epoch + 1,
            "updates": (progress.epoch + 1) * self.order.steps,
            "learning_rate": self.optimiser.param_groups[0]["lr"],
            "train_loss": loss,
        }
        monitored = loss
        if scores is not None:
            row |= {"val_loss": scores.loss, "val_score": scores.score} | dict(scores.metrics)
            monitored = scores.loss if recipe.monitor == "loss" else -scores.score
            if math.isnan(monitored):
                other = "score" if recipe.monitor == "loss" else "loss"
                raise TrainingError(
                    f"the validation {recipe.monitor} is not defined: no task has labels of two values there; label "
                    f"more videos of split val, or set monitor: {other}."
                )
        self.rate.epoch_ended(monitored)
        best = progress.best is None or monitored < progress.best or scores is None
        if best:
            progress.best, progress.best_epoch, progress.waited = monitored, progress.epoch, 0
        else:
            progress.waited += 1
        progress.history.append(row)
        progress.epoch, progress.step, progress.loss_sum = progress.epoch + 1, 0, 0.0
        patience = recipe.patience
        progress.finished = progress.epoch >= recipe.epochs or (patience is not None and progress.waited >= patience)
        self.watcher.epoch(self, row, best=best)

    def state(self) -> dict[str, Any]:
        """Return everything that a resumed run needs, but recipe and table."""
        return {
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "rate": self.rate.state(),
            "progress": asdict(self.progress),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take what ``state`` returned.

        Raises:
            RunError: It is of another network.
        """
        try:
            self.network.load_state_dict(state["network"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.scaler.load_state_dict(state["scaler"])
            self.rate.restore(state["rate"])
            self.progress = Progress(**state["progress"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RunError(f"the run's state does not fit ({type(error).__name__}); start another run.") from error

    def _freeze(self) -> None:
        frozen: list[nn.Module] = []
        if self.recipe.freeze == "image":
            encoder: Any = self.network.encoder
            frozen = [encoder.image]
        elif self.recipe.freeze == "backbone":
            frozen = [self.network.encoder]
        for module in frozen:
            module.requires_grad_(requires_grad=False)
        self._frozen = frozen

    def _rest_frozen(self) -> None:
        """Keep what is frozen as it is: statistics of batches, and dropout, are of training."""
        for module in self._frozen:
            module.eval()

    def _optimiser(self) -> torch.optim.Optimizer:
        recipe, heads = self.recipe, list(self.network.heads.parameters())
        encoder = [parameter for parameter in self.network.encoder.parameters() if parameter.requires_grad]
        rate = recipe.learning_rate
        groups = [{"params": heads, "base": rate * recipe.head_learning_rate_factor}]
        if encoder:
            groups.insert(0, {"params": encoder, "base": rate})
        kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
        return kind(groups, lr=rate, weight_decay=recipe.weight_decay)

    def _distributed(self) -> DistributedDataParallel | None:
        if self.ranks.world == 1:
            return None
        warnings.filterwarnings("ignore", message="Grad strides do not match")  # of depthwise convolutions, small ones
        devices = [self.ranks.device] if self.ranks.device.type == "cuda" else None
        return DistributedDataParallel(self.network, device_ids=devices)

    def _seed(self, update: int) -> None:
        """Let dropout depend on the update and the process alone."""
        torch.manual_seed(int(random_of(self.recipe.seed, DROPOUT, update, self.ranks.rank).integers(2**62)))

    def _not_a_number(self, passes: Sequence[Batch], targets: Sequence[Tensor]) -> str:
        where = explain_loss(
            self.network, self.loss, passes, targets, data=self.data, ranks=self.ranks, autocast=self.autocast
        )
        step, epoch = self.progress.step + 1, self.progress.epoch + 1
        return (
            f"the loss is not a number at update {step} of epoch {epoch}: {where}. The last checkpoint is whole. "
            "Try a lower learning_rate, clip_gradient, or precision bf16 or fp32."
        )
