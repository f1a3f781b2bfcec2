"""A running average of a network's weights, often better than where the last step ended."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn


class WeightAverage:
    """An exponential moving average of weights and of batch norm's statistics.

    The statistics are averaged as the weights are: those of the live network belong to other
    weights, and using them would cost accuracy. The decay in step ``n`` is at most
    ``(1 + n) / (10 + n)``, so that the random start is soon forgotten.

    Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.

    Args:
        network: copied as the average's start.
        decay: the fraction of the average that a step keeps, 0 to 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay = decay
        self.num_steps = 0
        self._averaged = _tensors(self.network, floating=True)
        self._copied = _tensors(self.network, floating=False)

    def update(self, network: nn.Module) -> None:
        """Moves the average a little towards ``network``."""
        self.num_steps += 1
        decay = min(self.decay, (1 + self.num_steps) / (10 + self.num_steps))
        with torch.no_grad():
            torch._foreach_lerp_(self._averaged, _tensors(network, floating=True), 1 - decay)
            for ours, theirs in zip(self._copied, _tensors(network, floating=False), strict=True):
                ours.copy_(theirs)

    def restore(self, weights: Mapping[str, torch.Tensor], num_steps: int) -> None:
        """Takes up an average that had seen ``num_steps`` steps.

        Raises:
            RuntimeError: weights of another network.
        """
        self.network.load_state_dict(weights)
        self.num_steps = num_steps


def _tensors(network: nn.Module, *, floating: bool) -> list[torch.Tensor]:
    tensors = [*network.parameters(), *network.buffers()]
    return [tensor.detach() for tensor in tensors if tensor.is_floating_point() is floating]
