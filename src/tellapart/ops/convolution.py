r"""Convolution, with its backward pass written out.

**Which convolution.** Networks compute the *cross-correlation*: the kernel is laid on the image
as it is. Mathematical convolution first rotates the kernel by 180 degrees, which makes the
operation commutative and associative. For a learned kernel this makes no difference: training finds
the rotated one. ``flip=True`` rotates it.

**The backward pass.** In :math:`y_{n,o,i,j} = b_o + \sum_{c,u,v} x_{n,c,is+ud,js+vd}\,w_{o,c,u,v}`
every term is the product of one pixel and one weight. So, with :math:`g = \partial L/\partial y`,
the chain rule only has to collect the terms that contain a given number:

.. math::

    \frac{\partial L}{\partial b_o} = \sum_{n,i,j} g_{n,o,i,j}, \qquad
    \frac{\partial L}{\partial w_{o,c,u,v}} = \sum_{n,i,j} g_{n,o,i,j}\; x_{n,c,is+ud,js+vd}, \qquad
    \frac{\partial L}{\partial x_{n,c,r,q}}
        = \sum_{o} \sum_{\substack{i,u:\ is+ud=r \\ j,v:\ js+vd=q}} g_{n,o,i,j}\; w_{o,c,u,v}

The second is again a correlation, of the images with :math:`g` (stride and dilation exchange
their roles). The third, for stride and dilation 1, is :math:`\sum g_{r-u,\,q-v}\,w_{u,v}`: the
minus sign makes it a mathematical convolution of :math:`g` with the same kernel.

Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document
recognition, 1998, section II; Dumoulin and Visin, arXiv:1603.07285, chapter 2.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
from torch.autograd.function import once_differentiable

from tellapart.errors import ConfigError, ShapeError
from tellapart.ops.arguments import (
    Pair,
    check_alike,
    check_floating,
    check_images,
    check_shape,
    lowered_by_autocast,
)
from tellapart.ops.convolution_forms import Form, Loops, Windows
from tellapart.ops.depthwise import Depthwise
from tellapart.ops.fourier import Fourier
from tellapart.ops.matrix_product import MatrixProduct
from tellapart.ops.operation import Operation
from tellapart.ops.windows import Window, crop_images, pad_images

FormName: TypeAlias = Literal["loops", "windows", "matrix", "fourier"]

_FORMS: dict[str, Form] = {
    "loops": Loops(),
    "windows": Windows(),
    "matrix": MatrixProduct(),
    "fourier": Fourier(),
}
_DEPTHWISE = Depthwise()


class _Rotate(Operation):
    """Rotate the kernel by 180 degrees. The gradient is rotated back, by 180 degrees as well."""

    @staticmethod
    def forward(_ctx: Any, weight: torch.Tensor) -> torch.Tensor:
        return weight.flip((2, 3))

    @staticmethod
    @once_differentiable
    def backward(_ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient.flip((2, 3))


class _Convolution(Operation):
    """The three sums of this module's docstring, in one of the four forms."""

    @staticmethod
    def forward(
        ctx: Any,
        images: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        window: Window,
        groups: int,
        form: Form,
    ) -> torch.Tensor:
        ctx.save_for_backward(images, weight)
        ctx.window, ctx.groups, ctx.form = window, groups, form
        inner = window.without_padding()
        outputs = form.correlate(pad_images(images, window.padding), weight, inner, groups)
        return outputs if bias is None else outputs.add_(bias.view(-1, 1, 1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        window, groups, form = ctx.window, ctx.groups, ctx.form
        inner = window.without_padding()
        to_images = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            padded_size = window.padded_size(*images.shape[2:])
            padded = form.image_gradient(gradient, weight, padded_size, inner, groups)
            to_images = crop_images(padded, window.padding)
        if ctx.needs_input_grad[1]:
            padded = pad_images(images, window.padding)
            to_weight = form.weight_gradient(gradient, padded, inner, groups)
        if ctx.needs_input_grad[2]:
            to_bias = gradient.sum((0, 2, 3))
        return to_images, to_weight, to_bias, None, None, None


def conv2d(
    images: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    flip: bool = False,
    form: FormName = "matrix",
) -> torch.Tensor:
    r"""Slide every kernel over every image.

    .. math:: y_{n,o,i,j} = b_o + \sum_{c,u,v} x_{n,c,is+ud,js+vd}\; w_{o,c,u,v}

    Depthwise convolution is ``groups = channels``; depthwise-separable is that followed by a
    1x1 convolution.

    Args:
        images: floating point, (batch, channels, height, width).
        weight: (outputs, channels / groups, kernel_h, kernel_w).
        bias: (outputs,), or None for no bias.
        stride: pixels from one place of the kernel to the next.
        padding: width in pixels of the border of zeros around the image.
        dilation: distance in pixels between neighbouring kernel weights; 1 leaves no gaps.
        groups: channels and outputs are divided into this many groups; the outputs of a group
            depend on the channels of the same group only.
        flip: whether to rotate the kernel by 180 degrees, as mathematical convolution does.
        form: how it is computed, forwards and backwards: ``"matrix"`` is the fast one,
            ``"fourier"`` is faster for large kernels, ``"windows"`` and ``"loops"`` are there to
            be read. A depthwise ``"matrix"`` is computed one kernel weight at a time.

    Returns:
        (batch, outputs, places_h, places_w), with the places of :meth:`Window.places`; in
        autocast's type under autocast, else in the images' type.

    Raises:
        ShapeError: where shapes, types or groups do not fit together.
        ConfigError: where the form is unknown.

    Example:
        >>> image = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
        >>> conv2d(image, torch.ones(1, 1, 2, 2))[0, 0]
        tensor([[12., 16.],
                [24., 28.]])
    """
    images, weight, bias = checked_operands(images, weight, bias)
    outputs, channels_per_group = weight.shape[:2]
    check_groups(groups, images.shape[1], outputs)
    if images.shape[1] != channels_per_group * groups:
        raise ShapeError(
            "images must have weight.shape[1] * groups = "
            f"{channels_per_group} * {groups} channels, got {images.shape[1]}"
        )
    check_shape(bias, (outputs,), subject="bias")
    window = Window.of((weight.shape[2], weight.shape[3]), stride, padding, dilation)
    window.places(images.shape[2], images.shape[3])  # refuses a window that does not fit
    kernel = _Rotate.call(weight) if flip else weight
    return _Convolution.call(images, kernel, bias, window, groups, form_named(form, weight, groups))


def checked_operands(
    images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Check images, weight and bias, and return them in the type to compute in."""
    check_images(images)
    check_floating(weight, subject="weight")
    if weight.ndim != 4:
        raise ShapeError(
            "weight must be four-dimensional, (outputs, channels / groups, kernel_h, kernel_w) "
            f"or for a transposed convolution channels first, got {tuple(weight.shape)}"
        )
    images, weight = lowered_by_autocast(images), lowered_by_autocast(weight)
    bias = None if bias is None else lowered_by_autocast(bias)
    check_alike(images, weight, subjects="images and weight")
    check_alike(images, bias, subjects="images and bias")
    return images, weight, bias


def check_groups(groups: int, channels: int, outputs: int) -> None:
    """Raise ShapeError unless ``groups`` divides both channels and outputs."""
    if groups < 1 or channels % groups or outputs % groups:
        raise ShapeError(
            "groups must be at least 1 and divide channels and outputs, "
            f"got {groups} for {channels} channels and {outputs} outputs"
        )


def form_named(name: str, weight: torch.Tensor, groups: int) -> Form:
    """Return the form called ``name`` for this weight; raise ConfigError for an unknown name."""
    if name not in _FORMS:
        raise ConfigError(f"form must be one of {', '.join(_FORMS)}, got {name!r}")
    if name == "matrix" and groups > 1 and weight.shape[1] == 1:
        return _DEPTHWISE
    return _FORMS[name]
