"""EfficientNet-Lite: inverted residuals, the backbone whose ImageNet weights can be installed.

Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
2019, arXiv:1905.11946, table 1. The Lite variants leave out squeeze-and-excitation, have ReLU6 in
place of swish, and keep the stem and the head at the width of the smallest network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tellapart.models.blocks import Dropout, Flatten, ImageShape, named

# Repeats, kernel size, stride of the first, expansion, channels: one row per stage.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM_CHANNELS, _HEAD_CHANNELS = 32, 1280
# The stage whose features are also given by region, and how many regions there are each way.
_GRID_STAGE, _GRID = 5, 3
# TensorFlow's decay of 0.99 is what torch calls a momentum of 0.01.
_NORM_EPSILON, _NORM_MOMENTUM = 1e-3, 0.01
# Below this the last stage has one position, and a last batch of one image has no batch statistics.
_SMALLEST_SIDE = 33


def same_padding(
    image_size: Sequence[int], kernel_size: Sequence[int], stride: Sequence[int]
) -> tuple[int, int, int, int]:
    """Return the zeros that "SAME" adds: left, right, top, bottom.

    Args:
        image_size: rows and columns, as the others.
        kernel_size: of the convolution, which has no gaps.
        stride: of the convolution.
    """
    vertical, horizontal = (
        max((math.ceil(size / step) - 1) * step + kernel - size, 0)
        for size, kernel, step in zip(image_size, kernel_size, stride, strict=True)
    )
    left, top = horizontal // 2, vertical // 2
    return left, horizontal - left, top, vertical - top


def grid_windows(
    image_size: Sequence[int], num_regions: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the kernel size and the stride that give ``num_regions`` equal windows each way.

    Together the windows cover every position; they overlap where ``num_regions`` does not divide
    the size.

    Args:
        image_size: rows and columns, each at least ``num_regions``.
        num_regions: in each direction.
    """
    rows, columns = image_size
    down, right = rows // num_regions, columns // num_regions
    kernel_size = (rows - (num_regions - 1) * down, columns - (num_regions - 1) * right)
    return kernel_size, (down, right)


class SamePaddedConv2d(nn.Conv2d):
    """A convolution whose output has ``ceil(size / stride)`` rows and columns.

    As TensorFlow pads "SAME": where the number of zeros is odd, the extra one is at the bottom and
    on the right. So the padding depends on the size of the image, and on an even size a stride of 2
    begins at another pixel than with torch's symmetric padding.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, ceil(h/s), ceil(w/s))."""
        left, right, top, bottom = same_padding(
            features.shape[2:], self.weight.shape[2:], self.stride
        )
        padding = (top, left)
        if left != right or top != bottom:
            features = functional.pad(features, (left, right, top, bottom))
            padding = (0, 0)
        stride = self.stride[0]
        if self.bias is None and _is_slow_backwards(features, self.weight, stride):
            output: torch.Tensor = _BackwardInFp32.apply(features, self.weight, stride, padding)  # type: ignore[no-untyped-call]
            return output
        return functional.conv2d(
            features, self.weight, self.bias, self.stride, padding, groups=self.groups
        )


def _is_slow_backwards(features: torch.Tensor, weight: torch.Tensor, stride: int) -> bool:
    """Whether a convolution channel by channel would be differentiated slowly, on a processor."""
    return (
        weight.shape[1] == 1
        and (weight.shape[2] > 3 or stride > 1)
        and features.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") is torch.bfloat16
        and torch.is_grad_enabled()
        and (features.requires_grad or weight.requires_grad)
    )


class _BackwardInFp32(torch.autograd.Function):
    """A convolution channel by channel in bf16 whose gradients are computed in fp32.

    In bf16 torch's gradients of 5x5 kernels and of strides of 2 take up to ten times as long as in
    fp32. On one thread, milliseconds for 16 images of 144x59x59, kernel 5, stride 2: 155 in bf16,
    25 in fp32; of 672x14x14, kernel 5: 70 and 22. All of EfficientNet-Lite0 trains 1.7 times as
    fast for it.
    """

    @staticmethod
    def forward(
        context: Any,
        features: torch.Tensor,
        weight: torch.Tensor,
        stride: int,
        padding: tuple[int, int],
    ) -> torch.Tensor:
        features, kernel = features.bfloat16(), weight.bfloat16()
        context.save_for_backward(features, kernel)
        context.stride, context.padding = stride, padding
        return functional.conv2d(features, kernel, None, stride, padding, groups=features.shape[1])

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        features, kernel = context.saved_tensors
        to_features, to_kernel, _ = torch.ops.aten.convolution_backward(
            gradient.float(),
            features.float(),
            kernel.float(),
            None,
            [context.stride] * 2,
            context.padding,
            [1, 1],
            False,
            [0, 0],
            features.shape[1],
            [*context.needs_input_grad[:2], False],
        )
        to_features = None if to_features is None else to_features.to(gradient.dtype)
        return to_features, to_kernel, None, None


class InvertedResidual(nn.Module):
    """Widen, convolve each channel by itself, narrow; with a way around where the shape stays.

    Cost with c channels in, o out, e = expansion * c, kernel k and p positions out, for stride 1:
    (c + k*k + o)e + 4e + 2o parameters, (c + k*k + o)ep multiply-adds.

    Args:
        in_channels: c.
        out_channels: o.
        kernel_size: k, odd.
        stride: of the convolution by channel.
        expansion: 1 leaves out the widening.

    Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018,
    section 3.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        channels = expansion * in_channels
        self.has_way_around = stride == 1 and in_channels == out_channels
        self.branch = nn.Sequential()
        if expansion != 1:
            self.branch.add_module("expand", _conv_norm(in_channels, channels, 1))
        self.branch.add_module(
            "depthwise", _conv_norm(channels, channels, kernel_size, stride, groups=channels)
        )
        self.branch.add_module("project", _conv_norm(channels, out_channels, 1, relu=False))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, ceil(h/s), ceil(w/s))."""
        out: torch.Tensor = self.branch(features)
        return features + out if self.has_way_around else out


class EfficientNetLite(nn.Module):
    """Stem, stages and head, from images to one row of features each.

    Args:
        channels: of the images.
        with_grid: whether the features of the fifth stage's 3x3 regions follow the head's. The
            head's are means over all positions, which no longer tell where something is: with the
            grid a linear layer tells hands that sign digits apart with 1.7 % errors instead of
            7 %, and photographs of insects as well as without.
    """

    def __init__(self, channels: int, *, with_grid: bool = False) -> None:
        super().__init__()
        self.with_grid = with_grid
        self.stem = _conv_norm(channels, _STEM_CHANNELS, 3, 2)
        channels = _STEM_CHANNELS
        for number, (repeats, kernel, stride, expansion, out_channels) in enumerate(_STAGES, 1):
            stage = nn.Sequential()
            for repeat in range(repeats):
                first_stride = stride if repeat == 0 else 1
                block = InvertedResidual(channels, out_channels, kernel, first_stride, expansion)
                stage.add_module(f"block{repeat + 1}", block)
                channels = out_channels
            self.add_module(f"stage{number}", stage)
        self.head = _conv_norm(channels, _HEAD_CHANNELS, 1)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flatten = Flatten()
        self.grid = nn.Sequential(GridMean(_GRID), Flatten()) if with_grid else None

    @property
    def num_features(self) -> int:
        """The number of features of an image."""
        grid = _STAGES[_GRID_STAGE - 1][-1] * _GRID**2 if self.with_grid else 0
        return _HEAD_CHANNELS + grid

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to (batch, num_features)."""
        seen = self.stem(images)
        middle: torch.Tensor | None = None
        for number in range(1, len(_STAGES) + 1):
            seen = self.get_submodule(f"stage{number}")(seen)
            if number == _GRID_STAGE:
                middle = seen
        features: torch.Tensor = self.flatten(self.mean(self.head(seen)))
        if self.grid is None:
            return features
        return torch.cat((features, self.grid(middle)), 1)


class GridMean(nn.Module):
    """The means over ``size`` x ``size`` equal regions, which overlap where they must.

    Args:
        size: regions in each direction; there must be as many positions.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to (batch, channels, size, size)."""
        kernel_size, stride = grid_windows(features.shape[2:], self.size)
        return functional.avg_pool2d(features, kernel_size, stride)


def efficientnet_lite0(
    shape: ImageShape, num_classes: int, *, with_grid: bool = False
) -> nn.Sequential:
    """Convolution, seven stages of 16 inverted residuals, 1x1 convolution, mean, dropout, linear.

    Made for photographs of 224x224; it takes any from 33x33 on.
    Cost on 3x224x224 with 1,000 classes: 4.65 million parameters, 385 million multiply-adds.

    Args:
        shape: channels, height, width.
        num_classes: logits.
        with_grid: see `EfficientNetLite`.
    """
    if min(shape[1:]) < _SMALLEST_SIDE:
        raise RuntimeError(
            f"it needs at least {_SMALLEST_SIDE} pixels each way; image files can be enlarged with "
            "data.size=96, arrays cannot"
        )
    backbone = EfficientNetLite(shape[0], with_grid=with_grid)
    return named(
        backbone=backbone,
        dropout=Dropout(0.2),
        output=nn.Linear(backbone.num_features, num_classes),
    )


def _conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    *,
    groups: int = 1,
    relu: bool = True,
) -> nn.Sequential:
    row = named(
        conv=SamePaddedConv2d(
            in_channels, out_channels, kernel_size, stride, groups=groups, bias=False
        ),
        norm=nn.BatchNorm2d(out_channels, eps=_NORM_EPSILON, momentum=_NORM_MOMENTUM),
    )
    if relu:
        row.add_module("relu", nn.ReLU6())
    return row
