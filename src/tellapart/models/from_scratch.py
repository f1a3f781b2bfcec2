"""Networks that are computed by :mod:`tellapart.ops` alone, with the weights of torch's layers.

``nn.Module`` only holds names and weights; every output of a layer, and every gradient, comes from
an operation that is written out in this package. A network and its twin have the same weights, by
name and shape, and compute the same function: a classifier that was trained on one can be loaded
onto the other.

Dropout multiplies by noise and takes no operation from there, because it draws exactly the noise of
the layer it replaces: on a processor both lose the same features in the same step, and their losses
can be compared number by number. (On a GPU torch draws inside a kernel of its own, so there the
noise is another, of the same distribution.)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from tellapart import ops
from tellapart.errors import ConfigError
from tellapart.models import blocks, efficientnet


class ConvolutionFromScratch(nn.Module):
    """``nn.Conv2d`` by :func:`tellapart.ops.conv2d`, as one matrix product."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        _require("padding_mode", layer.padding_mode, "zeros")
        if isinstance(layer.padding, str):
            raise ConfigError(f"padding must be whole numbers, got {layer.padding!r}")
        self.weight, self.bias = layer.weight, layer.bias
        self.settings: dict[str, Any] = {
            "stride": layer.stride,
            "padding": layer.padding,
            "dilation": layer.dilation,
            "groups": layer.groups,
        }

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to (batch, outputs, places_h, places_w)."""
        return ops.conv2d(images, self.weight, self.bias, **self.settings)


class SamePaddedConvolutionFromScratch(ConvolutionFromScratch):
    """:class:`tellapart.models.efficientnet.SamePaddedConv2d`: zeros around the image first."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to (batch, outputs, ceil(h/s), ceil(w/s))."""
        border = efficientnet.same_padding(
            images.shape[2:], self.weight.shape[2:], self.settings["stride"]
        )
        padded = torch.nn.functional.pad(images, border) if any(border) else images
        return super().forward(padded)


class LinearFromScratch(nn.Module):
    """``nn.Linear`` by :func:`tellapart.ops.linear`."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(..., inputs) to (..., outputs)."""
        return ops.linear(features, self.weight, self.bias)


class BatchNormFromScratch(nn.Module):
    """``nn.BatchNorm2d`` by :func:`tellapart.ops.batch_norm`."""

    running_mean: torch.Tensor | None
    running_var: torch.Tensor | None
    num_batches_tracked: torch.Tensor | None

    def __init__(self, layer: nn.BatchNorm2d) -> None:
        super().__init__()
        if layer.momentum is None:
            raise ConfigError("momentum must be a number, got None (a cumulative mean)")
        self.weight, self.bias = layer.weight, layer.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(layer, name))
        self.settings: dict[str, Any] = {"momentum": layer.momentum, "eps": layer.eps}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to the same shape."""
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        return ops.batch_norm(
            images,
            self.weight,
            self.bias,
            running_mean=self.running_mean,
            running_var=self.running_var,
            training=self.training or self.running_mean is None,
            **self.settings,
        )


class DynamicConvolutionFromScratch(nn.Module):
    """:class:`tellapart.models.blocks.DynamicConvolution` by linear layers and a convolution."""

    def __init__(self, layer: blocks.DynamicConvolution) -> None:
        super().__init__()
        self.weight, self.num_kernels = layer.weight, layer.num_kernels
        self.scores = _swapped(layer.scores, "scores")
        self.softmax = _swapped(layer.softmax, "softmax")
        self.temperature = layer.temperature

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        attention = self.softmax(self.scores(features) / self.temperature)
        # (batch, outputs * channels * 9)
        kernels = ops.linear(attention, self.weight.reshape(self.num_kernels, -1).T)
        outputs = ops.conv2d(
            features.reshape(1, -1, *features.shape[2:]),
            kernels.view(-1, *self.weight.shape[1:]),
            padding=1,
            groups=len(features),
        )
        return outputs.reshape(len(features), -1, *features.shape[2:])


class DropoutFromScratch(nn.Module):
    """``nn.Dropout``, ``nn.Dropout2d`` or ours: a product with the noise that the layer draws."""

    def __init__(self, layer: nn.Dropout | nn.Dropout2d) -> None:
        super().__init__()
        self.probability = layer.p
        self.cuts_noise = isinstance(layer, blocks.Dropout)
        self.drops_channels = isinstance(layer, nn.Dropout2d)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Any shape to the same shape."""
        if not self.training or self.probability == 0.0:
            return features
        return features * self._noise(features)

    def _noise(self, features: torch.Tensor) -> torch.Tensor:
        """0 where something is dropped, else 1 / (fraction that is kept)."""
        if self.cuts_noise and blocks.cuts_noise(features, self.probability):
            return blocks.cut_noise(features, self.probability)
        noise = torch.empty_like(features)
        if self.drops_channels:
            noise = features.new_empty(*features.shape[:2], 1, 1)
        fraction = 1.0 - self.probability
        return noise.bernoulli_(fraction).div_(fraction or 1.0)


class FunctionFromScratch(nn.Module):
    """A layer without weights: one operation, with its settings."""

    def __init__(self, operation: Callable[..., torch.Tensor], **settings: Any) -> None:
        super().__init__()
        self.operation, self.settings = operation, settings

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The shapes are those of the operation."""
        return self.operation(features, **self.settings)


def _max_pooling(layer: nn.MaxPool2d) -> FunctionFromScratch:
    _require("ceil_mode", layer.ceil_mode, False)
    _require("return_indices", layer.return_indices, False)
    return FunctionFromScratch(
        ops.max_pool2d,
        kernel_size=layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
    )


def _mean_over_places(layer: nn.AdaptiveAvgPool2d) -> FunctionFromScratch:
    if layer.output_size not in (1, (1, 1)):
        raise ConfigError(f"output_size must be 1, got {layer.output_size}")
    return FunctionFromScratch(_mean_as_image)


def _mean_as_image(images: torch.Tensor) -> torch.Tensor:
    return ops.global_avg_pool2d(images)[:, :, None, None]  # (batch, channels, 1, 1)


def _grid_mean(layer: efficientnet.GridMean) -> FunctionFromScratch:
    return FunctionFromScratch(_means_by_region, num_regions=layer.size)


def _means_by_region(images: torch.Tensor, num_regions: int) -> torch.Tensor:
    kernel_size, stride = efficientnet.grid_windows(images.shape[2:], num_regions)
    return ops.avg_pool2d(images, kernel_size, stride=stride)


def _mean_and_maximum(_: blocks.MeanAndMaximum) -> FunctionFromScratch:
    return FunctionFromScratch(_mean_then_maximum)


def _mean_then_maximum(images: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[2:]
    largest = ops.max_pool2d(images, (height, width))
    return torch.cat([ops.global_avg_pool2d(images), largest.flatten(1)], 1)


def _flatten(layer: nn.Flatten) -> FunctionFromScratch:
    return FunctionFromScratch(torch.flatten, start_dim=layer.start_dim, end_dim=layer.end_dim)


def _softmax(layer: nn.Softmax) -> FunctionFromScratch:
    return FunctionFromScratch(ops.softmax, dim=-1 if layer.dim is None else layer.dim)


def _require(setting: str, value: object, wanted: object) -> None:
    if value != wanted:
        raise ConfigError(f"{setting} must be {wanted!r}, got {value!r}")


_TWINS: Mapping[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.Conv2d: ConvolutionFromScratch,
    nn.Linear: LinearFromScratch,
    nn.BatchNorm2d: BatchNormFromScratch,
    nn.ReLU: lambda _: FunctionFromScratch(ops.relu),
    nn.ReLU6: lambda _: FunctionFromScratch(ops.relu6),
    nn.Sigmoid: lambda _: FunctionFromScratch(ops.sigmoid),
    nn.Softmax: _softmax,
    nn.MaxPool2d: _max_pooling,
    nn.AdaptiveAvgPool2d: _mean_over_places,
    nn.Dropout: DropoutFromScratch,
    nn.Dropout2d: DropoutFromScratch,
    blocks.Dropout: DropoutFromScratch,
    nn.Flatten: _flatten,
    blocks.Flatten: _flatten,
    blocks.MeanAndMaximum: _mean_and_maximum,
    blocks.DynamicConvolution: DynamicConvolutionFromScratch,
    efficientnet.SamePaddedConv2d: SamePaddedConvolutionFromScratch,
    efficientnet.GridMean: _grid_mean,
}
# These only add, multiply or concatenate tensors themselves.
_CONTAINERS = (
    nn.Sequential,
    blocks.Residual,
    blocks.Ghost,
    blocks.SqueezeExcitation,
    efficientnet.EfficientNetLite,
    efficientnet.InvertedResidual,
)


def from_scratch(network: nn.Module) -> nn.Module:
    """A twin of ``network`` in which :mod:`tellapart.ops` computes what torch's layers computed.

    The twin holds the same weights and buffers, not copies of them: training one trains the other.

    Args:
        network: of torch's layers and the blocks of this package, e.g. any of the registry.

    Raises:
        ConfigError: a layer, or a setting of one, that has no twin.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
        >>> twin = from_scratch(network)
        >>> twin[0].weight is network[0].weight
        True
    """
    tensors = [*network.parameters(), *network.buffers()]
    shared = {id(tensor): tensor for tensor in tensors}
    return _swapped(copy.deepcopy(network, shared), "").train(network.training)


def _swapped(module: nn.Module, name: str) -> nn.Module:
    """The twin of a layer; a container with its layers swapped in place."""
    # By exact type: a subclass may compute something else.
    kind = type(module)
    if kind in _CONTAINERS:
        for child_name, child in module.named_children():
            setattr(module, child_name, _swapped(child, f"{name}.{child_name}".lstrip(".")))
        return module
    subject = f"layer {name!r}, a {kind.__name__}," if name else f"a {kind.__name__}"
    if kind not in _TWINS:
        raise ConfigError(
            f"{subject} has no counterpart in tellapart.ops; set model.operations=torch"
        )
    try:
        return _TWINS[kind](module)
    except ConfigError as error:
        raise ConfigError(
            f"{subject} cannot be built from scratch: {error}; set model.operations=torch"
        ) from None
