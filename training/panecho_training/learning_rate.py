"""The learning rate of each update: warm-up, and the recipe's schedule."""

import math
from dataclasses import dataclass, field
from typing import Any

from panecho_training.recipe import Recipe

__all__ = ["LearningRate"]


@dataclass
class LearningRate:
    """The factor of the learning rate, a function of the update and of how often the plateau was reached.

    Attributes:
        recipe: Settings.
        steps: Updates of an epoch.
        reductions: How often the rate was reduced on a plateau.
        best: Best monitored number since the last reduction, lower is better; None before the first.
        waited: Epochs since then.
    """

    recipe: Recipe = field(repr=False)
    steps: int
    reductions: int = 0
    best: float | None = None
    waited: int = 0

    def factor(self, update: int) -> float:
        """Return the factor of an update, counted from 0 over all epochs."""
        factor = self.recipe.plateau_factor**self.reductions
        if self.recipe.schedule == "cosine":
            factor *= (1 + math.cos(math.pi * update / (self.recipe.epochs * self.steps))) / 2
        warm_up = self.recipe.warm_up_epochs * self.steps
        return factor * min(1.0, (update + 1) / (warm_up + 1))

    def epoch_ended(self, monitored: float) -> None:
        """Take note of an epoch's monitored number; lower is better."""
        if self.recipe.schedule != "plateau":
            return
        if self.best is None or monitored < self.best:
            self.best, self.waited = monitored, 0
            return
        self.waited += 1
        if self.waited > self.recipe.plateau_patience:
            self.reductions, self.waited = self.reductions + 1, 0

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"reductions": self.reductions, "best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Take what ``state`` returned."""
        self.reductions, self.best, self.waited = state["reductions"], state["best"], state["waited"]
