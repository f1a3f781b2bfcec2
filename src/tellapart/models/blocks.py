"""Blocks that several networks are built from.

Costs are given per layer, with c channels in, o channels out and p places (pixels of the output);
:func:`tellapart.models.cost.count_multiply_adds` counts them on a real network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn
from torch.nn import functional

# Channels, height and width.
ImageShape = tuple[int, int, int]


class Layer(Protocol):
    """A function that makes one layer of a block: a convolution, a norm and perhaps a ReLU."""

    def __call__(self, in_channels: int, out_channels: int, *, relu: bool = True) -> nn.Module:
        """Makes a layer that keeps height and width; without ``relu`` it ends with the norm."""


def named(**layers: nn.Module) -> nn.Sequential:
    """Layers in a row, each under its name, so that weights read ``conv1.weight``."""
    row = nn.Sequential()
    for name, layer in layers.items():
        row.add_module(name, layer)
    return row


def features_shape(layers: nn.Module, image_shape: Sequence[int]) -> tuple[int, ...]:
    """The shape that ``layers`` give for one image of shape (channels, height, width).

    Runs them once on zeros, on the device of their weights (``meta`` while a file is being
    loaded), so that no flatten size is ever written down by hand.
    """
    device = next((weight.device for weight in layers.parameters()), None)
    was_training = layers.training
    layers.eval()
    with torch.no_grad():
        shape = layers(torch.zeros(1, *image_shape, device=device)).shape[1:]
    layers.train(was_training)
    return tuple(shape)


def conv_norm_relu(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    *,
    stride: int = 1,
    groups: int = 1,
    padding: int | None = None,
    pooled: bool = False,
    relu: bool = True,
) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; the size stays where the stride is 1.

    Cost with a 3x3 kernel and one group: 9co + 2o parameters, 9cop multiply-adds.

    Args:
        in_channels: c.
        out_channels: o.
        kernel_size: odd.
        stride: places between patches.
        groups: of channels that do not see one another.
        padding: zeros around the image; None is as many as keep its size.
        pooled: halves height and width by their maxima before the norm, which then sees the maxima
            alone and has a quarter of the work.
        relu: whether negative values become 0 at the end.
    """
    # The norm that follows subtracts any bias again, so the convolution has none.
    conv = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2 if padding is None else padding,
        groups=groups,
        bias=False,
    )
    return _with_norm(conv, out_channels, pooled=pooled, relu=relu)


def _with_norm(
    conv: nn.Module, channels: int, *, pooled: bool = False, relu: bool
) -> nn.Sequential:
    row = named(conv=conv)
    if pooled:
        row.add_module("pool", nn.MaxPool2d(2))
    row.add_module("norm", nn.BatchNorm2d(channels))
    if relu:
        row.add_module("relu", nn.ReLU())
    return row


def cosine_conv(
    in_channels: int, out_channels: int, kernel_size: int = 5, *, stride: int = 1
) -> nn.Conv2d:
    """A convolution by the lowest waves of the cosine transform, each with its negative.

    Of images these are nearly the principal components of their patches, so a first layer of them
    keeps most of what there is to see, and nothing has to be learned for it. For one grey channel
    they are fixed, which also saves the backward pass to them; for several channels they are the
    initial weights, and colour is learned.

    Args:
        in_channels: of what comes in; each has the same weight in every wave.
        out_channels: even; half of it are waves, from the mean of the patch upwards.
        kernel_size: of the patch; it must have that many waves.
        stride: places between patches.

    Source: Ahmed, Natarajan and Rao, "Discrete Cosine Transform", 1974.
    """
    places = torch.arange(kernel_size) + 0.5
    waves = torch.cos(torch.pi / kernel_size * torch.arange(kernel_size)[:, None] * places)
    waves = waves / waves.norm(dim=1, keepdim=True)
    pairs = [(u, v) for u in range(kernel_size) for v in range(kernel_size)]
    lowest = sorted(pairs, key=lambda pair: (pair[0] ** 2 + pair[1] ** 2, pair))
    kernels = torch.stack([torch.outer(waves[u], waves[v]) for u, v in lowest[: out_channels // 2]])
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, bias=False)
    both = torch.cat([kernels, -kernels])[:, None] / in_channels
    with torch.no_grad():
        conv.weight.copy_(both.expand_as(conv.weight))
    conv.weight.requires_grad_(in_channels > 1)
    return conv


def separable_conv(
    in_channels: int, out_channels: int, *, stride: int = 1, relu: bool = True
) -> nn.Sequential:
    """A 3x3 convolution in two steps: across the places of each channel, then across channels.

    Both are followed by batch normalisation and ReLU; ``relu`` is about the second.
    Cost: 9c + co + 2c + 2o parameters, (9c + co)p multiply-adds: 1/o + 1/9 of the convolution's.

    Source: Howard et al., "MobileNets", 2017, arXiv:1704.04861, sections 3.1 and 3.2.
    """
    return named(
        depthwise=conv_norm_relu(in_channels, in_channels, stride=stride, groups=in_channels),
        pointwise=conv_norm_relu(in_channels, out_channels, 1, relu=relu),
    )


class Flatten(nn.Flatten):
    """``nn.Flatten`` that hands its gradient back channels last, as the layers before it want it.

    The gradient of a flatten arrives channels first; max-pooling's backward pass then copies its
    input and its output back and forth. Laying out the small tensor once costs a twentieth of that.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to (batch, channels * height * width)."""
        if self.training and features.requires_grad and features.ndim == 4:
            features.register_hook(_channels_last)  # type: ignore[no-untyped-call]
        return super().forward(features)


def _channels_last(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


class MeanAndMaximum(nn.Module):
    """The mean of each channel over all places, then its maximum, as features of an image."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to (batch, 2 * channels)."""
        # A pooling window of all places, because the gradient of amax is divided among equal pixels
        # and that of pooling goes to the first, as in `tellapart.ops`.
        largest = functional.max_pool2d(features, features.shape[2:])
        return torch.cat([features.mean((2, 3)), largest.flatten(1)], 1)


class Dropout(nn.Dropout):
    """``nn.Dropout`` with noise cut from whole random words: many times faster on a processor."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Any shape to the same shape."""
        if self.training and cuts_noise(features, self.p):
            return features * cut_noise(features, self.p)
        return super().forward(features)


def cuts_noise(features: torch.Tensor, probability: float) -> bool:
    """Whether :func:`cut_noise` can draw for these: on a processor, and not all or nothing."""
    return features.device.type == "cpu" and 0 < round(probability * 65_536) < 65_536


def cut_noise(features: torch.Tensor, probability: float) -> torch.Tensor:
    """0 where an element is dropped, else what it is multiplied by; laid out as ``features``.

    One 64-bit draw decides eight elements, 8 bits each, where the probability is a whole number of
    256ths, else four elements: the probability is then rounded to the next 1/65536. Kept elements
    are divided by the fraction that is really kept, so the mean is exact.
    """
    bits, dtype = (8, torch.int8) if (probability * 256).is_integer() else (16, torch.int16)
    num_values = 2**bits
    num_dropped = round(probability * num_values)
    words = torch.empty(-(-features.numel() * bits // 64), dtype=torch.int64)
    # From the lowest number on and without an upper end: all 64 bits are random.
    draws = words.random_(-(2**63), None).view(dtype)[: features.numel()]
    # In place the answer is 0 or 1 in the small type: a bool is slow to make a number of.
    kept = draws.ge_(num_dropped - num_values // 2)
    noise = kept.to(features.dtype).mul_(num_values / (num_values - num_dropped))
    # The noise takes the layout of the features, so that the product runs straight through.
    return noise.as_strided(features.shape, torch.empty_like(features).stride())


class Residual(nn.Module):
    """``relu(x + second(first(x)))``: two layers, and a way around them.

    Args:
        channels: of what comes in and of what goes out.
        layer: makes the two; the second has no ReLU of its own.

    Source: He et al., "Deep Residual Learning for Image Recognition", 2015, section 3.
    """

    def __init__(self, channels: int, layer: Layer = conv_norm_relu) -> None:
        super().__init__()
        self.first = layer(channels, channels)
        self.second = layer(channels, channels, relu=False)
        self.relu = nn.ReLU()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to the same shape."""
        out: torch.Tensor = self.relu(features + self.second(self.first(features)))
        return out


class Ghost(nn.Module):
    """Half of the channels by a 3x3 convolution, the others each by a 3x3 filter from one of them.

    Many channels of a trained network look like another one, slightly changed: its ghost. Cost,
    with m = o/2 rounded up: 9cm + 9m + 4m parameters, 9(c + 1)mp multiply-adds, so a little over
    half the convolution's.

    Args:
        in_channels: of what comes in.
        out_channels: of what goes out; of an odd number the last ghost is left out.
        relu: whether both halves end on a ReLU or on their norm.

    Source: Han et al., "GhostNet", 2020, arXiv:1911.11907, section 3.1, with s = 2 and d = 3.
    """

    def __init__(self, in_channels: int, out_channels: int, *, relu: bool = True) -> None:
        super().__init__()
        num_primary = (out_channels + 1) // 2
        self.out_channels = out_channels
        self.primary = conv_norm_relu(in_channels, num_primary, relu=relu)
        self.cheap = conv_norm_relu(num_primary, num_primary, groups=num_primary, relu=relu)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        primary = self.primary(features)
        return torch.cat((primary, self.cheap(primary)), 1)[:, : self.out_channels]


def _scores(channels: int, num_scores: int, reduction: int) -> nn.Sequential:
    """Images to ``num_scores`` numbers each, from the channels' means over all places."""
    num_hidden = max(1, channels // reduction)
    return named(
        mean=nn.AdaptiveAvgPool2d(1),
        flatten=Flatten(),
        squeeze=nn.Linear(channels, num_hidden),
        relu=nn.ReLU(),
        excite=nn.Linear(num_hidden, num_scores),
    )


class SqueezeExcitation(nn.Module):
    """Multiplies each channel by a number in 0..1 that is chosen by all channels' means.

    Cost with h = c/reduction: 2ch + h + c parameters, 2ch multiply-adds.

    Args:
        channels: of what comes in and of what goes out.
        reduction: channels per hidden unit. The paper's 16 is for layers of 256 channels and more;
            of 64 it would leave 4 units.

    Source: Hu et al., "Squeeze-and-Excitation Networks", 2018, arXiv:1709.01507, section 3.
    """

    def __init__(self, channels: int, *, reduction: int = 4) -> None:
        super().__init__()
        self.scores = _scores(channels, channels, reduction)
        self.gate = nn.Sigmoid()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to the same shape."""
        gates: torch.Tensor = self.gate(self.scores(features))  # (batch, channels)
        return features * gates[:, :, None, None]


class DynamicConvolution(nn.Module):
    """A 3x3 convolution whose kernel is, for each image, another mean of ``num_kernels``.

    Cost with K kernels and h = c/4: 9Kco + ch + h + hK + K parameters; 9cop multiply-adds for the
    convolution, 9Kco to mix its kernel and ch + hK to choose the mixture.

    Args:
        in_channels: of what comes in.
        out_channels: of what goes out.
        num_kernels: that are mixed.
        temperature: scores are divided by it before the softmax. If it is high, every kernel has
            a part in every image and so learns; the paper lets it fall from 30 to 1 in the first
            ten epochs, here it stays.

    Source: Chen et al., "Dynamic Convolution: Attention over Convolution Kernels", 2020,
    arXiv:1912.03458, section 3.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, num_kernels: int = 4, temperature: float = 4.0
    ) -> None:
        super().__init__()
        self.num_kernels, self.temperature = num_kernels, temperature
        # All kernels one above the other, (K * outputs, channels, 3, 3), drawn as a convolution's:
        # in five dimensions they could not be laid out channels last.
        self.weight = nn.Conv2d(in_channels, num_kernels * out_channels, 3).weight
        self.scores = _scores(in_channels, num_kernels, reduction=4)
        self.softmax = nn.Softmax(1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        attention = self.attention(features)
        if torch.compiler.is_exporting():
            return self._mix_outputs(features, attention)
        # (batch, K) @ (K, outputs * channels * 9)
        kernels = attention @ self.weight.reshape(self.num_kernels, -1)
        # One image to each group: a convolution has one kernel per output, not per image.
        outputs = functional.conv2d(
            features.reshape(1, -1, *features.shape[2:]),
            kernels.view(-1, *self.weight.shape[1:]),
            padding=1,
            groups=len(features),
        )
        return outputs.view(len(features), -1, *features.shape[2:])

    def attention(self, features: torch.Tensor) -> torch.Tensor:
        """Each kernel's weight in the mean: (batch, num_kernels), rows that add up to 1."""
        attention: torch.Tensor = self.softmax(self.scores(features) / self.temperature)
        return attention

    def _mix_outputs(self, features: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        """The same by linearity, for formats in which groups cannot follow the batch's size."""
        outputs = functional.conv2d(features, self.weight, padding=1)
        by_kernel = torch.unflatten(outputs, 1, (self.num_kernels, -1))  # (batch, K, outputs, h, w)
        return (by_kernel * attention[:, :, None, None, None]).sum(1)


def dynamic_conv(in_channels: int, out_channels: int, *, relu: bool = True) -> nn.Sequential:
    """:class:`DynamicConvolution`, batch normalisation, ReLU."""
    return _with_norm(DynamicConvolution(in_channels, out_channels), out_channels, relu=relu)
