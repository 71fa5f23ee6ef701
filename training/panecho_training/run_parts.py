"""What a trainer is given: where its data come from, and who sees what it does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from panecho_training.batch_order import BatchOrder
from panecho_training.clip_loader import Batch
from panecho_training.networks import Network
from panecho_training.validation import Scores

__all__ = ["Data", "Progress", "Trained", "Watcher"]


class Data(Protocol):
    """Where a trainer's batches come from: clips, or embeddings that were computed once."""

    def batches(self, order: BatchOrder, epoch: int, first_step: int) -> Iterator[Batch]:
        """Yield the passes of an epoch's updates."""

    def validate(self, network: Network) -> Scores | None:
        """Return how good a network is on the validation split; None without one. Every process gets the same."""

    def rows(self, videos: Sequence[int]) -> list[int]:
        """Return the rows of the table of videos of the training split."""


class Trained(Protocol):
    """What a watcher saves of a trainer."""

    @property
    def trained(self) -> Network:
        """The network to validate and save."""

    @property
    def progress(self) -> "Progress":
        """How far the run is."""

    def state(self) -> dict[str, Any]:
        """Return everything that a resumed run needs, but recipe and table."""


class Watcher(Protocol):
    """Who sees a training: its progress, and what is to be written."""

    def step(self, progress: "Progress", steps: int, loss: float, clips: int) -> None:
        """See an update."""

    def epoch(self, trainer: "Trained", row: dict[str, Any], *, best: bool) -> None:
        """See the end of an epoch, with its row of the history."""

    def stop_asked(self) -> bool:
        """Tell whether the training should save and end."""

    def save(self, trainer: "Trained") -> None:
        """Save what a resumed run needs."""


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        epoch: Epoch in progress, from 0.
        step: Its next update.
        loss_sum: Of the losses of its updates so far.
        best: Best monitored number, lower is better; None before the first.
        best_epoch: When it was reached.
        waited: Epochs since then.
        history: A row per epoch.
        finished: Whether there is nothing left to do.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best: float | None = None
    best_epoch: int = 0
    waited: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False
