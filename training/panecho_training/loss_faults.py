"""Names what makes a loss something else than a number."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from panecho_training.clip_loader import Batch
from panecho_training.losses import MultiTaskLoss
from panecho_training.networks import Network
from panecho_training.ranks import Ranks
from panecho_training.run_parts import Data

__all__ = ["explain_loss"]

ROWS_SHOWN = 10


def explain_loss(  # noqa: PLR0913 - all that a batch was computed from
    network: Network,
    loss: MultiTaskLoss,
    passes: Sequence[Batch],
    targets: Sequence[Tensor],
    *,
    data: Data,
    ranks: Ranks,
    autocast: Callable[[], torch.autocast],
) -> str:
    """Return which tasks and rows of a batch make its loss infinite or not a number, over all processes."""
    rows: set[int] = set()
    tasks: set[str] = set()
    with torch.no_grad(), autocast():
        for batch, wanted in zip(passes, targets, strict=True):
            wrong = ~loss.each(network(batch.inputs.to(ranks.device)), wanted).isfinite()
            rows |= set(data.rows([batch.videos[n] for n in wrong.any(dim=1).nonzero()[:, 0].tolist()]))
            tasks |= {loss.tasks[n].key for n in wrong.any(dim=0).nonzero()[:, 0].tolist()}
    found = ranks.gather((rows, tasks))
    every_row = sorted(set().union(*(part for part, _ in found)))
    every_task = sorted(set().union(*(part for _, part in found)))
    more = f" and {len(every_row) - ROWS_SHOWN} more" if len(every_row) > ROWS_SHOWN else ""
    shown = ", ".join(map(str, every_row[:ROWS_SHOWN]))
    return f"task {', '.join(every_task)}, rows {shown}{more} of the table"
