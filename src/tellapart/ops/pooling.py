r"""Pooling: the maximum or the mean of every window of an image.

Both use the sliding window of :mod:`tellapart.ops.windows`, one pixel of the window at a time:
``windows[..., u, v]`` is a view of the pixel at row ``u`` and column ``v`` of the window, for all
places at once. So nothing is copied, and a 2x2 pooling takes three additions or comparisons of
whole tensors.

Source: LeCun et al., 1998 (average pooling with stride); Scherer, Mueller and Behnke, Evaluation
of pooling operations in convolutional architectures for object recognition, 2010 (maximum).
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from tellapart.errors import ShapeError
from tellapart.ops.arguments import Pair, accumulation_dtype, check_images
from tellapart.ops.operation import Operation
from tellapart.ops.windows import Window, add_windows, crop_images, pad_images, sliding_windows


class _MaxPooling(Operation):
    r"""The gradient of a maximum goes to the largest pixel; the others do not change it.

    With :math:`m_{ij}` the largest pixel at place :math:`(i, j)`:
    :math:`\partial L / \partial x_r = \sum_{ij:\, m_{ij} = r} g_{ij}`, a sum because a pixel may
    be the largest of several overlapping windows. Among equal pixels the first in reading order
    receives the gradient, as in torch; the maximum has no derivative there, so any choice is valid.
    """

    @staticmethod
    def forward(ctx: Any, images: torch.Tensor, window: Window) -> torch.Tensor:
        # Pad with -inf, not 0: the padding must not be the maximum of a window of negative pixels.
        padded = pad_images(images, window.padding, value=-torch.inf)
        windows = sliding_windows(padded, window)
        largest = windows[..., 0, 0].clone()
        for u, v in window.offsets[1:]:
            torch.maximum(largest, windows[..., u, v], out=largest)
        ctx.save_for_backward(images, largest)
        ctx.window = window
        return largest

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        images, largest = ctx.saved_tensors
        window: Window = ctx.window
        padded = pad_images(images, window.padding, value=-torch.inf)
        to_padded = torch.zeros_like(padded, dtype=accumulation_dtype(gradient.dtype))
        windows, targets = sliding_windows(padded, window), sliding_windows(to_padded, window)
        undecided = torch.ones_like(largest, dtype=torch.bool)
        for u, v in window.offsets:
            receives = (windows[..., u, v] == largest) & undecided
            undecided &= ~receives
            targets[..., u, v] += gradient * receives
        return crop_images(to_padded, window.padding).to(gradient.dtype), None


class _AveragePooling(Operation):
    r"""The gradient of a mean of :math:`k` pixels is :math:`g / k` for each of them."""

    @staticmethod
    def forward(
        ctx: Any, images: torch.Tensor, window: Window, divisor: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(divisor)
        ctx.window, ctx.image_size = window, images.shape[2:]
        windows = sliding_windows(pad_images(images, window.padding), window)
        total = windows[..., 0, 0].to(divisor.dtype, copy=True)
        for u, v in window.offsets[1:]:
            total += windows[..., u, v]
        return (total / divisor).to(images.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (divisor,) = ctx.saved_tensors
        window: Window = ctx.window
        per_pixel = (gradient / divisor)[..., None, None]
        windows = per_pixel.expand(*gradient.shape, *window.size)
        padded = add_windows(windows, *window.padded_size(*ctx.image_size), window)
        return crop_images(padded, window.padding).to(gradient.dtype), None, None


class _GlobalAveragePooling(Operation):
    """The gradient of the mean of a whole channel is gradient / (height * width) for each pixel."""

    @staticmethod
    def forward(ctx: Any, images: torch.Tensor) -> torch.Tensor:
        ctx.image_size = images.shape[2:]
        return images.mean((2, 3))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        height, width = ctx.image_size
        per_pixel: torch.Tensor = gradient[:, :, None, None] / (height * width)
        return per_pixel.expand(*gradient.shape, height, width)


def max_pool2d(
    images: torch.Tensor,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
) -> torch.Tensor:
    """Return the largest pixel of every window.

    The padding is -inf, so it is never the largest. Among equal pixels the first in reading order
    receives the gradient.

    Args:
        images: floating point, (batch, channels, height, width).
        kernel_size: rows and columns of the window.
        stride: pixels from one place to the next; None is the kernel size: no overlap.
        padding: width of the border, at most half of what the window spans.
        dilation: distance between neighbouring pixels of the window; 1 leaves no gaps.

    Returns:
        (batch, channels, places_h, places_w), in the images' type.

    Raises:
        ShapeError: where the images' shape or type is wrong, or the window does not fit.

    Example:
        >>> image = torch.tensor([[1.0, 2.0, -1.0, -2.0], [3.0, 4.0, -3.0, -4.0]])
        >>> max_pool2d(image.view(1, 1, 2, 4), 2)[0, 0]
        tensor([[ 4., -1.]])
    """
    window = _pooling_window(images, kernel_size, stride, padding, dilation)
    return _MaxPooling.call(images, window)


def avg_pool2d(
    images: torch.Tensor,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    count_include_pad: bool = True,
) -> torch.Tensor:
    """Return the mean of every window.

    The padding is 0. With ``count_include_pad`` (torch's default) the sum is divided by the size of
    the window, which makes the results at the border smaller; without it by the number of pixels
    of the image in the window.

    Args:
        images: floating point, (batch, channels, height, width).
        kernel_size: rows and columns of the window.
        stride: pixels from one place to the next; None is the kernel size: no overlap.
        padding: width of the border, at most half of the window.
        count_include_pad: whether the padding counts as pixels in the mean.

    Returns:
        (batch, channels, places_h, places_w), in the images' type.

    Raises:
        ShapeError: where the images' shape or type is wrong, or the window does not fit.

    Example:
        >>> ones = torch.ones(1, 1, 2, 2)
        >>> avg_pool2d(ones, 2, padding=1)[0, 0]
        tensor([[0.2500, 0.2500],
                [0.2500, 0.2500]])
        >>> avg_pool2d(ones, 2, padding=1, count_include_pad=False)[0, 0]
        tensor([[1., 1.],
                [1., 1.]])
    """
    window = _pooling_window(images, kernel_size, stride, padding, dilation=1)
    ones = images.new_ones(1, 1, *images.shape[2:], dtype=accumulation_dtype(images.dtype))
    counted = pad_images(ones, window.padding, value=1.0 if count_include_pad else 0.0)
    divisor = sliding_windows(counted, window).sum((4, 5))  # (1, 1, places_h, places_w)
    return _AveragePooling.call(images, window, divisor)


def global_avg_pool2d(images: torch.Tensor) -> torch.Tensor:
    """Return the mean of every channel: (batch, channels, height, width) to (batch, channels).

    Source: Lin, Chen and Yan, Network in network, 2013, arXiv:1312.4400, section 3.2.

    Raises:
        ShapeError: where the images are not floating point (batch, channels, height, width).

    Example:
        >>> global_avg_pool2d(torch.arange(8.0).view(1, 2, 2, 2))
        tensor([[1.5000, 5.5000]])
    """
    check_images(images)
    return _GlobalAveragePooling.call(images)


def _pooling_window(
    images: torch.Tensor, kernel_size: Pair, stride: Pair | None, padding: Pair, dilation: Pair
) -> Window:
    check_images(images)
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding, dilation)
    if any(2 * pad > span for pad, span in zip(window.padding, window.span, strict=True)):
        raise ShapeError(
            f"padding must be at most half of the {window.span[0]}x{window.span[1]} pixels that "
            f"the window spans, got {padding!r}: a window must hold a pixel of the image"
        )
    window.places(images.shape[2], images.shape[3])  # refuses a window that does not fit
    return window
