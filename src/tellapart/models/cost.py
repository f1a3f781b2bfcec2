"""What a network costs on one image: the multiply-adds of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import nn

from tellapart.errors import ConfigError
from tellapart.models.blocks import DynamicConvolution, features_shape
from tellapart.models.capture import captured
from tellapart.models.from_scratch import (
    ConvolutionFromScratch,
    DynamicConvolutionFromScratch,
    LinearFromScratch,
)


def count_multiply_adds(network: nn.Module, image_shape: Sequence[int]) -> dict[str, int]:
    """Multiplications, each with its addition, that a forward pass over one image takes.

    Counts matrix products and convolutions, as the papers do; norms, activations, pooling and
    sums of whole maps are left out. The network runs once on zeros.

    Args:
        network: float images (batch, channels, height, width) to anything.
        image_shape: channels, height, width.

    Returns:
        The count of each layer that has any, by the layer's name, in the order in which they run.

    Raises:
        ConfigError: a layer with a kernel or a matrix that this function does not know.

    Example:
        >>> count_multiply_adds(nn.Sequential(nn.Conv2d(1, 8, 3)), (1, 28, 28))
        {'0': 48672}
    """
    layers = [name for name, layer in network.named_modules() if _has_products(name, layer)]
    counts: dict[str, int] = {}
    with captured(network, layers) as seen:
        features_shape(network, image_shape)
    for activation in seen:
        # A layer that is used twice costs twice.
        cost = layer_multiply_adds(activation.layer, activation.tensor.shape[1:])
        counts[activation.name] = counts.get(activation.name, 0) + cost
    return counts


def layer_multiply_adds(layer: nn.Module, output_shape: Sequence[int]) -> int:
    """What one layer takes for one image; 0 for one without products, such as a norm.

    Args:
        layer: alone: of a block's parts, those that are layers themselves are not counted.
        output_shape: of what it gives for one image, without the batch.
    """
    if not isinstance(layer, _WITH_PRODUCTS):
        return 0
    # Each number of the output is one inner product, with one kernel or one row of the matrix.
    inner_products = prod(output_shape) * layer.weight[0].numel()
    mixes_kernels = isinstance(layer, DynamicConvolution | DynamicConvolutionFromScratch)
    return inner_products + (layer.weight.numel() if mixes_kernels else 0)


def _has_products(name: str, layer: nn.Module) -> bool:
    if isinstance(layer, _WITH_PRODUCTS):
        return True
    if any(weight.ndim > 1 for weight in layer.parameters(recurse=False)):
        raise ConfigError(
            f"the multiply-adds of layer {name!r}, a {type(layer).__name__}, cannot be counted; "
            "known: Conv2d, Linear, DynamicConvolution"
        )
    return False


_WITH_PRODUCTS = (
    nn.Conv2d,
    nn.Linear,
    DynamicConvolution,
    ConvolutionFromScratch,
    LinearFromScratch,
    DynamicConvolutionFromScratch,
)
