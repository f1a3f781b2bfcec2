"""LoRA: low-rank changes to the weights of a trained network, which are frozen themselves.

``W' = W + (B A) / r`` for every convolution and linear layer but the output layer, W seen as a
matrix (outputs, inputs * height * width), A of r rows and B of r columns. B is 0 at first,
so the network is unchanged at first. Merging adds the changes to the weights and removes A and B.

Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021, section 4.1; a factor
of their ``alpha / r`` is left to the learning rate. The change is added to the weight, not
computed beside it, so grouped and depthwise convolutions need nothing of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from tellapart.errors import ConfigError
from tellapart.finetuning.stages import output_layer
from tellapart.runtime import generator


class LowRankChange(nn.Module):
    """Adds ``B A / rank`` to a weight.

    Args:
        weight: (outputs, inputs) or (outputs, inputs, height, width).
        rank: of the change.
        random: draws A, on the processor.
    """

    def __init__(self, weight: torch.Tensor, rank: int, random: torch.Generator) -> None:
        super().__init__()
        num_outputs, num_inputs = weight.flatten(1).shape
        # As wide as torch draws a linear layer's weights, from the same number of inputs.
        a = (torch.rand(rank, num_inputs, generator=random) * 2 - 1) / num_inputs**0.5
        self.a = nn.Parameter(a.to(weight.device))
        self.b = nn.Parameter(torch.zeros(num_outputs, rank, device=weight.device))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The changed weight, of the same shape."""
        # In bfloat16 the change would differ from the one that is merged in the end.
        with torch.autocast(weight.device.type, enabled=False):
            change = (self.b @ self.a) / self.a.shape[0]
        return weight + change.view_as(weight)


def add_lora(network: nn.Module, rank: int, seed: int) -> None:
    """Adds a low-rank change, 0 at first, to every layer except the output layer.

    The layers' own weights are frozen.

    Raises:
        ConfigError: a network without an output layer or without another layer to change, or a
            rank below 1 or above that of a layer.
    """
    layers = _layers_to_change(network)
    smallest, least = min(layers, key=lambda entry: _full_rank(entry[1].weight))
    if not 1 <= rank <= _full_rank(least.weight):
        raise ConfigError(
            f"lora_rank must be from 1 to that of the smallest layer, "
            f"{_full_rank(least.weight)} of {smallest!r} {tuple(least.weight.shape)}, got {rank}"
        )
    for name, layer in layers:
        weight = layer.weight
        change = LowRankChange(weight, rank, generator(seed, "lora", name))
        weight.requires_grad_(False)
        parametrize.register_parametrization(layer, "weight", change)


def largest_rank(network: nn.Module) -> int:
    """Return the largest rank that fits every layer except the output layer.

    Raises:
        ConfigError: a network without an output layer, or without another layer.
    """
    return min(_full_rank(layer.weight) for _, layer in _layers_to_change(network))


def lora_parameters(module: nn.Module) -> Iterator[nn.Parameter]:
    """Yield A and B of every change in ``module``."""
    for part in module.modules():
        if isinstance(part, LowRankChange):
            yield from part.parameters()


def merge_lora(network: nn.Module) -> None:
    """Adds every change to its weight and removes LoRA from the network."""
    for layer in list(network.modules()):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def _layers_to_change(network: nn.Module) -> list[tuple[str, Any]]:
    """All layers whose ``weight`` is a matrix or a stack of kernels, except the output layer."""
    head = output_layer(network)
    layers = []
    for name, layer in network.named_modules():
        weight = getattr(layer, "weight", None)
        if layer is not head and isinstance(weight, nn.Parameter) and weight.ndim in (2, 4):
            layers.append((name, layer))
    if not layers:
        raise ConfigError("LoRA needs a convolution or linear layer before the output layer")
    return layers


def _full_rank(weight: torch.Tensor) -> int:
    return min(weight.flatten(1).shape)
