r"""Transposed convolution: the image gradient of a convolution, used forwards.

A convolution is linear in its images: :math:`y = A x`. Its backward pass multiplies by
:math:`A^\top`, and that is this operation. So nothing here is new: the three sums of
:mod:`tellapart.ops.convolution` change places. Forwards runs the image gradient; the gradient of
the images is a plain correlation, :math:`(A^\top)^\top = A`; the gradient of the weight is the
same sum, with images and gradient in each other's role. It is the adjoint, not the inverse.

Source: Zeiler, Krishnan, Taylor and Fergus, Deconvolutional networks, 2010; Dumoulin and Visin,
arXiv:1603.07285, chapter 4.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from tellapart.errors import ShapeError
from tellapart.ops.arguments import Pair, check_shape, pair
from tellapart.ops.convolution import FormName, check_groups, checked_operands, form_named
from tellapart.ops.convolution_forms import Form
from tellapart.ops.operation import Operation
from tellapart.ops.windows import Window, crop_images, pad_images


class _TransposedConvolution(Operation):
    """The adjoint: each of the three sums of a convolution in another's place."""

    @staticmethod
    def forward(
        ctx: Any,
        images: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        window: Window,
        output_padding: tuple[int, int],
        groups: int,
        form: Form,
    ) -> torch.Tensor:
        ctx.save_for_backward(images, weight)
        ctx.window, ctx.groups, ctx.form = window, groups, form
        inner = window.without_padding()
        stamped_size = _stamped_size(images, window)
        stamped = form.image_gradient(images, weight, stamped_size, inner, groups)
        bottom, right = output_padding
        if bottom or right:
            # Zeros that no stamp reaches. They are put on here and not before: where the
            # dilation is larger than the stride, they would make room for another place.
            height, width = stamped_size
            larger = stamped.new_zeros(*stamped.shape[:2], height + bottom, width + right)
            larger[:, :, :height, :width] = stamped
            stamped = larger
        outputs = crop_images(stamped, window.padding)
        return outputs.clone() if bias is None else outputs + bias.view(-1, 1, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        window, groups, form = ctx.window, ctx.groups, ctx.form
        inner = window.without_padding()
        height, width = _stamped_size(images, window)
        stamped = pad_images(gradient, window.padding)[:, :, :height, :width]
        to_images = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_images = form.correlate(stamped, weight, inner, groups)
        if ctx.needs_input_grad[1]:
            to_weight = form.weight_gradient(images, stamped, inner, groups)
        if ctx.needs_input_grad[2]:
            to_bias = gradient.sum((0, 2, 3))
        return to_images, to_weight, to_bias, None, None, None, None


def _stamped_size(images: torch.Tensor, window: Window) -> tuple[int, int]:
    """Height and width that the stamps reach: from the first one's start to the last one's end."""
    return (
        (images.shape[2] - 1) * window.stride[0] + window.span[0],
        (images.shape[3] - 1) * window.stride[1] + window.span[1],
    )


def conv_transpose2d(
    images: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    form: FormName = "matrix",
) -> torch.Tensor:
    r"""The adjoint of :func:`conv2d`: each input pixel stamps its kernel onto a larger image.

    .. math:: y_{n,c,r,q} = b_c + \sum_o \sum_{is+ud-p=r,\ js+vd-p=q} x_{n,o,i,j}\; w_{o,c,u,v}

    It undoes the change of *size* of a convolution, not the convolution ("deconvolution" is a
    misnomer). Size: :math:`(n - 1) s - 2 p + d (k - 1) + 1` plus ``output_padding``.

    Args:
        images: floating point, (batch, channels, height, width).
        weight: (channels, outputs / groups, kernel_h, kernel_w): channels first, because it is
            the weight of the convolution that goes the other way.
        bias: (outputs,), or None for no bias.
        stride: pixels from one stamp to the next.
        padding: pixels cut off the border of the result.
        output_padding: rows and columns added at the bottom and the right, below stride or
            dilation: several sizes shrink to one under a stride, and this says which it was.
        dilation: pixels between neighbouring taps of the kernel.
        groups: channels and outputs fall into this many groups that do not see each other.
        form: as in :func:`conv2d`.

    Returns:
        (batch, outputs, larger_h, larger_w).

    Raises:
        ShapeError: where shapes, types or groups do not fit together.
        ConfigError: where there is no such form.

    Example:
        >>> image = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 1, 2, 2)
        >>> conv_transpose2d(image, torch.ones(1, 1, 2, 2))[0, 0]
        tensor([[ 1.,  3.,  2.],
                [ 4., 10.,  6.],
                [ 3.,  7.,  4.]])
    """
    images, weight, bias = checked_operands(images, weight, bias)
    channels, outputs = weight.shape[0], weight.shape[1] * groups
    if images.shape[1] != channels:
        raise ShapeError(
            f"images must have weight.shape[0] = {channels} channels, got {images.shape[1]}"
        )
    check_groups(groups, channels, outputs)
    check_shape(bias, (outputs,), subject="bias")
    window = Window.of((weight.shape[2], weight.shape[3]), stride, padding, dilation)
    extra = pair(output_padding, subject="output_padding", at_least=0)
    _check_output_size(images, window, extra)
    return _TransposedConvolution.call(
        images, weight, bias, window, extra, groups, form_named(form, weight, groups)
    )


def _check_output_size(images: torch.Tensor, window: Window, extra: tuple[int, int]) -> None:
    for added, stride, dilation in zip(extra, window.stride, window.dilation, strict=True):
        if added >= max(stride, dilation):
            raise ShapeError(
                "output_padding must be smaller than stride or dilation, "
                f"got {added} with stride {stride} and dilation {dilation}"
            )
    height, width = (
        stamped - 2 * cut + added
        for stamped, cut, added in zip(
            _stamped_size(images, window), window.padding, extra, strict=True
        )
    )
    if min(height, width) < 1:
        raise ShapeError(
            f"the result must have at least one pixel, got {height}x{width}; use less padding"
        )
