"""The learning rate as a function of the step: nothing to save, nothing to restore."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tellapart.config import ScheduleRecipe


@dataclass(frozen=True)
class Schedule:
    """The learning rate of every step of a training run.

    Args:
        recipe: which curve, and its numbers.
        learning_rate: the highest rate.
        steps_per_epoch: optimizer steps in one pass.
        num_epochs: passes in all.

    >>> halfway = Schedule(ScheduleRecipe(name="cosine"), 0.1, steps_per_epoch=10, num_epochs=2)
    >>> round(halfway.at(10), 3)
    0.05
    """

    recipe: ScheduleRecipe
    learning_rate: float
    steps_per_epoch: int
    num_epochs: int

    def at(self, step: int) -> float:
        """The rate of step ``step``, counted from 0.

        Source for one-cycle: Smith and Topin, "Super-Convergence", 2017, section 3.
        """
        return self.learning_rate * self._factor(step)

    def _factor(self, step: int) -> float:
        recipe = self.recipe
        total = self.steps_per_epoch * self.num_epochs
        if recipe.name == "constant":
            return 1.0
        if recipe.name == "step":
            return float(recipe.step_factor ** (step // self.steps_per_epoch // recipe.step_epochs))
        if recipe.name == "cosine":
            return _cosine(step / total, recipe.final_factor)
        rising = max(1, round(recipe.warmup_fraction * total))
        if step < rising:
            return recipe.initial_factor + (1 - recipe.initial_factor) * step / rising
        return _cosine((step - rising) / max(1, total - rising), recipe.final_factor)


def _cosine(fraction: float, final_factor: float) -> float:
    """From 1 at fraction 0 to ``final_factor`` at fraction 1, along half a cosine."""
    return final_factor + (1 - final_factor) * (1 + math.cos(math.pi * fraction)) / 2
