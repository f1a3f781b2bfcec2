"""Pieces that several networks are built of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def named(**layers: nn.Module) -> nn.Sequential:
    """Layers in a row, each under its name, so that weights read ``conv1.weight``."""
    row = nn.Sequential()
    for name, layer in layers.items():
        row.add_module(name, layer)
    return row


def features_shape(layers: nn.Module, picture_shape: Sequence[int]) -> tuple[int, ...]:
    """The shape that ``layers`` give for one picture of shape (channels, height, width).

    Runs them once on zeros, on the device of their weights (``meta`` while a file is being
    loaded), so that no flatten size is ever written down by hand.
    """
    device = next((weight.device for weight in layers.parameters()), None)
    was_training = layers.training
    layers.eval()
    with torch.no_grad():
        shape = layers(torch.zeros(1, *picture_shape, device=device)).shape[1:]
    layers.train(was_training)
    return tuple(shape)


def conv_norm_relu(
    in_channels: int, out_channels: int, kernel_size: int = 3, *, stride: int = 1
) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; the size stays where the stride is 1."""
    return named(
        # The norm that follows subtracts any bias again, so the convolution has none.
        conv=nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            bias=False,
        ),
        norm=nn.BatchNorm2d(out_channels),
        relu=nn.ReLU(),
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


class Dropout(nn.Dropout):
    """``nn.Dropout`` whose noise is cut from whole random words, ten times faster on a processor.

    One 64-bit draw decides four elements, 16 bits each, so the probability is rounded to the next
    1/65536; kept elements are divided by the share that is really kept, so the mean is exact.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Any shape to the same shape."""
        num_dropped = round(self.p * 65_536)
        on_processor = features.device.type == "cpu"
        if not (self.training and on_processor and 0 < num_dropped < 65_536):
            return super().forward(features)
        words = torch.empty((features.numel() + 3) // 4, dtype=torch.int64)
        # From the lowest number on and without an upper end: all 64 bits are random.
        halves = words.random_(-(2**63), None).view(torch.int16)[: features.numel()]
        noise = (halves >= num_dropped - 32_768).to(features.dtype)
        noise.mul_(65_536 / (65_536 - num_dropped))
        # The noise takes the layout of the features, so that the product runs straight through.
        layout = torch.empty_like(features).stride()
        return features * noise.as_strided(features.shape, layout)


class Residual(nn.Module):
    """``relu(x + branch(x))``: two 3x3 convolutions with norms, and a way around them.

    Source: He et al., "Deep Residual Learning for Image Recognition", 2015, section 3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_norm_relu(channels, channels)
        self.second = named(
            conv=nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            norm=nn.BatchNorm2d(channels),
        )
        self.relu = nn.ReLU()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to the same shape."""
        out: torch.Tensor = self.relu(features + self.second(self.first(features)))
        return out
