"""Stops when validation no longer improves, and remembers the best weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch


class EarlyStopping:
    """Watches the validation loss, or a figure in its place, and keeps the best epoch's weights.

    Args:
        patience: epochs without a lower loss after which training stops; 0 never stops.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best_epoch = 0
        self.best_loss = float("inf")
        self.best_weights: dict[str, torch.Tensor] = {}

    def observe(self, epoch: int, loss: float, weights: Mapping[str, torch.Tensor]) -> None:
        """Records an epoch's validation loss; copies ``weights`` where it is the lowest so far.

        Epoch 0 is the start of fine-tuning, where that is worth keeping: a computed output layer.
        Without patience only the start is recorded, and the last epoch is compared with it.
        """
        if (self.patience or epoch == 0) and loss < self.best_loss:
            self.best_epoch, self.best_loss = epoch, loss
            self.best_weights = {name: tensor.clone() for name, tensor in weights.items()}

    def should_stop(self, epoch: int) -> bool:
        """Whether training is to stop after ``epoch``."""
        return bool(self.patience) and epoch - self.best_epoch >= self.patience

    def restore(
        self, best_epoch: int, best_loss: float | None, best_weights: Mapping[str, torch.Tensor]
    ) -> None:
        """Takes up where another one was; ``best_loss`` is None before the first epoch."""
        self.best_epoch = best_epoch
        self.best_loss = float("inf") if best_loss is None else best_loss
        self.best_weights = dict(best_weights)
