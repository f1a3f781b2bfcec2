"""Random numbers for corruptions, the same on every device, in any batch and at every strength."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class Draws:
    """Random numbers for one block of images; drawn on the CPU and moved to the images' device.

    Args:
        generator: on the CPU.
        device: of the images.
    """

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        self._generator = generator
        self._device = device

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Return float32 numbers between ``low`` and ``high``."""
        drawn = torch.rand(shape, generator=self._generator) * (high - low) + low
        return drawn.to(self._device)

    def normal(self, *shape: int) -> Tensor:
        """Return float32 numbers of mean 0 and std 1."""
        return torch.randn(shape, generator=self._generator).to(self._device)

    def poisson(self, rates: Tensor) -> Tensor:
        """Return a count for each rate."""
        return torch.poisson(rates.cpu(), generator=self._generator).to(self._device)

    def signs(self, count: int) -> Tensor:
        """Return -1 or 1, equally often."""
        return (self.uniform(count) < 0.5).float() * 2 - 1


Corruption = Callable[[Tensor, int, Draws], Tensor]
"""A kind: from float32 images (batch, channels, height, width) in 0..1 and a strength 0..4 to
images of the same shape, which are cut to 0..1 afterwards."""


def unit(images: Tensor, side: int) -> float:
    """Return how many pixels of ``images`` are as long as one of images of ``side`` pixels."""
    return min(images.shape[-2:]) / side
