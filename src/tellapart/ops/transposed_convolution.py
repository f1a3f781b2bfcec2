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
    """The adjoint: each of the three sums of :class:`_Convolution` in another's place."""

    @staticmethod
    def forward(
        ctx: Any,
        images: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        output_size: tuple[int, int],
        window: Window,
        groups: int,
        form: Form,
    ) -> torch.Tensor:
        ctx.save_for_backward(images, weight)
        ctx.window, ctx.groups, ctx.form = window, groups, form
        padded_size = window.padded_size(*output_size)
        inner = window.without_padding()
        padded = form.image_gradient(images, weight, padded_size, inner, groups)
        outputs = crop_images(padded, window.padding)
        return outputs.clone() if bias is None else outputs + bias.view(-1, 1, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        window, groups, form = ctx.window, ctx.groups, ctx.form
        inner = window.without_padding()
        padded = pad_images(gradient, window.padding)
        # output_padding adds rows that no window reaches; they must not make room for one more.
        reached = [
            (count - 1) * stride + span
            for count, stride, span in zip(
                images.shape[2:], window.stride, window.span, strict=True
            )
        ]
        padded = padded[:, :, : reached[0], : reached[1]]
        to_images = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_images = form.correlate(padded, weight, inner, groups)
        if ctx.needs_input_grad[1]:
            to_weight = form.weight_gradient(images, padded, inner, groups)
        if ctx.needs_input_grad[2]:
            to_bias = gradient.sum((0, 2, 3))
        return to_images, to_weight, to_bias, None, None, None, None


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
    output_size = _transposed_size(images, window, output_padding)
    return _TransposedConvolution.call(
        images, weight, bias, output_size, window, groups, form_named(form)
    )


def _transposed_size(images: torch.Tensor, window: Window, output_padding: Pair) -> tuple[int, int]:
    extra = pair(output_padding, subject="output_padding", at_least=0)
    sizes = []
    for axis in (0, 1):
        limit = max(window.stride[axis], window.dilation[axis])
        if extra[axis] >= limit:
            raise ShapeError(
                "output_padding must be smaller than stride or dilation, "
                f"got {extra[axis]} with stride {window.stride[axis]} "
                f"and dilation {window.dilation[axis]}"
            )
        stamped = (images.shape[2 + axis] - 1) * window.stride[axis] + window.span[axis]
        sizes.append(stamped - 2 * window.padding[axis] + extra[axis])
    if min(sizes) < 1:
        raise ShapeError(
            f"the result must have at least one pixel, got {sizes[0]}x{sizes[1]}; use less padding"
        )
    return sizes[0], sizes[1]
