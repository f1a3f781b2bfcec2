"""What a network costs on one picture: the multiply-adds of each layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from tellapart.errors import ConfigError
from tellapart.models.blocks import DynamicConvolution, features_shape
from tellapart.models.from_scratch import (
    ConvolutionFromScratch,
    DynamicConvolutionFromScratch,
    LinearFromScratch,
)


def count_multiply_adds(network: nn.Module, picture_shape: Sequence[int]) -> dict[str, int]:
    """Multiplications, each with its addition, that a forward pass over one picture takes.

    Counts matrix products and convolutions, as the papers do; norms, activations, pooling and
    sums of whole maps are left out. The network runs once on zeros.

    Args:
        network: float pictures (batch, channels, height, width) to anything.
        picture_shape: channels, height, width.

    Returns:
        The count of each layer that has any, by the layer's name, in the order in which they run.

    Raises:
        ConfigError: a layer with a kernel or a matrix that this function does not know.

    Example:
        >>> count_multiply_adds(nn.Sequential(nn.Conv2d(1, 8, 3)), (1, 28, 28))
        {'0': 48672}
    """
    counts: dict[str, int] = {}
    handles: list[RemovableHandle] = []
    try:
        for name, layer in network.named_modules():
            count = _counter(name, layer)
            if count is not None:
                handles.append(layer.register_forward_hook(partial(_record, counts, name, count)))
        features_shape(network, picture_shape)
    finally:
        for handle in handles:
            handle.remove()
    return counts


_Counter = Callable[[Any, torch.Tensor], int]


def _record(
    counts: dict[str, int],
    name: str,
    count: _Counter,
    layer: nn.Module,
    _inputs: tuple[torch.Tensor, ...],
    outputs: torch.Tensor,
) -> None:
    # A layer that is used twice costs twice.
    counts[name] = counts.get(name, 0) + count(layer, outputs[0])


def _counter(name: str, layer: nn.Module) -> _Counter | None:
    """What counts for ``layer``, or None where it has nothing to count."""
    for kinds, counter in _COUNTERS.items():
        if isinstance(layer, kinds):
            return counter
    if any(weight.ndim > 1 for weight in layer.parameters(recurse=False)):
        raise ConfigError(
            f"the multiply-adds of layer {name!r}, a {type(layer).__name__}, cannot be counted; "
            "known: Conv2d, Linear, DynamicConvolution"
        )
    return None


def _inner_products(layer: nn.Conv2d | nn.Linear, outputs: torch.Tensor) -> int:
    """Each output is one inner product with one kernel or row of the weight."""
    return outputs.numel() * layer.weight[0].numel()


def _mixed_convolution(layer: DynamicConvolution, outputs: torch.Tensor) -> int:
    """The convolution, and the mixing of its kernel; what chooses the mixture counts by itself."""
    return outputs.numel() * layer.kernels[0].numel() + layer.kernels.numel()


_COUNTERS: dict[tuple[type[nn.Module], ...], _Counter] = {
    (nn.Conv2d, nn.Linear, ConvolutionFromScratch, LinearFromScratch): _inner_products,
    (DynamicConvolution, DynamicConvolutionFromScratch): _mixed_convolution,
}
