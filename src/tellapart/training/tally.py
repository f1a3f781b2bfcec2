"""Running totals of an epoch: loss, accuracy, and the first loss that is not finite."""

from __future__ import annotations

import torch


class Tally:
    """Loss and correct answers of an epoch, kept on the device so that no step waits for them.

    Args:
        num_batches: of the whole epoch.
        device: where losses and logits are.
    """

    def __init__(self, num_batches: int, device: torch.device) -> None:
        self.losses = torch.zeros(num_batches, device=device)
        self.sizes = torch.zeros(num_batches, device=device)
        self.hits = torch.zeros((), dtype=torch.int64, device=device)
        self.num_batches = 0
        self.num_images = 0
        self._num_checked = 0

    def add(
        self, number: int, loss: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor
    ) -> None:
        """Adds a batch: its number from 0, mean loss, logits and targets."""
        # A mixed image counts as the class that it shows most of.
        labels = targets if targets.ndim == 1 else targets.argmax(1)
        self.losses[number] = loss.detach()
        self.sizes[number] = len(labels)
        self.hits += (logits.detach().argmax(1) == labels).sum()
        self.num_batches = number + 1
        self.num_images += len(labels)

    def first_not_finite(self) -> int | None:
        """The first batch since the last call whose loss is not finite."""
        fresh = self.losses[self._num_checked : self.num_batches]
        broken = (~torch.isfinite(fresh)).nonzero()
        first = self._num_checked + int(broken[0]) if len(broken) else None
        self._num_checked = self.num_batches
        return first

    def mean_loss(self) -> float:
        """Mean over images, not over batches: the last batch may be smaller."""
        done = slice(self.num_batches)
        return float((self.losses[done] * self.sizes[done]).sum() / self.num_images)

    def accuracy(self) -> float:
        """The fraction of images that were classified correctly."""
        return int(self.hits) / self.num_images
