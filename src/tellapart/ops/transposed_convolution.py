r"""Transposed convolution: the image gradient of a convolution, used forwards.

A convolution is linear in its images: :math:`y = A x`. Its backward pass multiplies by
:math:`A^\top`, and that is this operation. So the three sums of
:mod:`tellapart.ops.convolution` are used again, with exchanged roles: the forward pass is the image
gradient; the gradient of the images is a plain correlation, :math:`(A^\top)^\top = A`; the gradient
of the weight is the same sum, with images and gradient exchanged. It is the adjoint, not the
inverse.

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
    """The adjoint: the three sums of a convolution with exchanged roles."""

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
        summed_size = _summed_size(images, window)
        summed = form.image_gradient(images, weight, summed_size, inner, groups)
        bottom, right = output_padding
        if bottom or right:
            # Zeros that no kernel reaches. They are added after the sum: where the dilation is
            # larger than the stride, a larger image would have one more place of the window.
            height, width = summed_size
            larger = summed.new_zeros(*summed.shape[:2], height + bottom, width + right)
            larger[:, :, :height, :width] = summed
            summed = larger
        outputs = crop_images(summed, window.padding)
        return outputs.clone() if bias is None else outputs + bias.view(-1, 1, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        window, groups, form = ctx.window, ctx.groups, ctx.form
        inner = window.without_padding()
        height, width = _summed_size(images, window)
        summed = pad_images(gradient, window.padding)[:, :, :height, :width]
        to_images = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_images = form.correlate(summed, weight, inner, groups)
        if ctx.needs_input_grad[1]:
            to_weight = form.weight_gradient(images, summed, inner, groups)
        if ctx.needs_input_grad[2]:
            to_bias = gradient.sum((0, 2, 3))
        return to_images, to_weight, to_bias, None, None, None, None


def _summed_size(images: torch.Tensor, window: Window) -> tuple[int, int]:
    """Return the height and width from the start of the first kernel to the end of the last."""
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
    r"""Add a kernel, scaled by each pixel, onto a larger image: the adjoint of :func:`conv2d`.

    .. math:: y_{n,c,r,q} = b_c + \sum_o \sum_{is+ud-p=r,\ js+vd-p=q} x_{n,o,i,j}\; w_{o,c,u,v}

    It reverses the change of *size* of a convolution, not its values ("deconvolution" is a wrong
    name for it). The size is :math:`(n - 1) s - 2 p + d (k - 1) + 1` plus ``output_padding``.

    Args:
        images: floating point, (batch, channels, height, width).
        weight: (channels, outputs / groups, kernel_h, kernel_w): channels first, because it is
            the weight of the convolution that goes the other way.
        bias: (outputs,), or None for no bias.
        stride: pixels from one copy of the kernel to the next.
        padding: pixels that are cut off each side of the result.
        output_padding: rows and columns of zeros added at the bottom and the right, fewer than
            stride or dilation. With a stride, a convolution maps several sizes to one; this
            chooses among them.
        dilation: distance in pixels between neighbouring kernel weights; 1 leaves no gaps.
        groups: channels and outputs are divided into this many groups, as in :func:`conv2d`.
        form: as in :func:`conv2d`.

    Returns:
        (batch, outputs, larger_h, larger_w).

    Raises:
        ShapeError: where shapes, types or groups do not fit together.
        ConfigError: where the form is unknown.

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
        summed - 2 * cut + added
        for summed, cut, added in zip(
            _summed_size(images, window), window.padding, extra, strict=True
        )
    )
    if min(height, width) < 1:
        raise ShapeError(
            f"the result must have at least one pixel, got {height}x{width}; use less padding"
        )
