r"""The nonlinearities, with derivatives that are computed from the saved input or output.

Each acts on every number alone (softmax: on every slice along ``dim``), so the backward pass is
one product: :math:`\partial L / \partial x = g \cdot f'(x)`. 16-bit inputs give 16-bit results;
only softmax computes in float32 in between, because it sums.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch.autograd.function import once_differentiable

from tellapart.ops.arguments import accumulation_dtype, check_floating
from tellapart.ops.operation import Operation


class _Relu(Operation):
    """The derivative is 1 where the output is positive, else 0; at 0 it is 0, as in torch."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        outputs = values.clamp(min=0.0)
        ctx.save_for_backward(outputs)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = ctx.saved_tensors[0]
        # No output is negative, so its sign is the derivative: 1 or 0.
        return outputs.sign().mul_(gradient)


class _LeakyRelu(Operation):
    """The derivative is 1 where the input is positive, else the slope."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, slope: float) -> torch.Tensor:
        ctx.save_for_backward(values)
        ctx.slope = slope
        return torch.where(values > 0.0, values, values * slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (values,) = ctx.saved_tensors
        return torch.where(values > 0.0, gradient, gradient * ctx.slope), None


class _Relu6(Operation):
    """The derivative is 1 where the output is strictly between 0 and 6, else 0, as in torch."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        outputs = values.clamp(min=0.0, max=6.0)
        ctx.save_for_backward(outputs)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = ctx.saved_tensors[0]
        return gradient * ((outputs > 0.0) & (outputs < 6.0))


class _Sigmoid(Operation):
    r""":math:`\sigma' = \sigma (1 - \sigma)`, from the output alone."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        # exp of numbers up to 0 only: it may round to 0, but it cannot overflow.
        small = (-values.abs()).exp()
        outputs = torch.where(values >= 0.0, 1.0, small) / (1.0 + small)
        ctx.save_for_backward(outputs)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        (outputs,) = ctx.saved_tensors
        return cast(torch.Tensor, gradient * outputs * (1.0 - outputs))


class _Tanh(Operation):
    r""":math:`\tanh' = 1 - \tanh^2`, from the output alone."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        # Near 0 expm1 keeps the digits that exp(-2|x|) - 1 would lose to cancellation.
        small = (-2.0 * values.abs()).expm1()
        outputs = (-small / (2.0 + small)).copysign(values)
        ctx.save_for_backward(outputs)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        (outputs,) = ctx.saved_tensors
        return cast(torch.Tensor, gradient * (1.0 - outputs * outputs))


class _Softmax(Operation):
    r"""The Jacobian :math:`\partial s_i / \partial x_j = s_i ([i = j] - s_j)` is never built.

    Its product with :math:`g` is :math:`\partial L/\partial x_j = s_j (g_j - \sum_i g_i s_i)`.
    """

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, dim: int) -> torch.Tensor:
        outputs = stable_log_softmax(values, dim).exp().to(values.dtype)
        ctx.save_for_backward(outputs)
        ctx.dim = dim
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (outputs,) = ctx.saved_tensors
        wide = accumulation_dtype(outputs.dtype)
        outputs, wide_gradient = outputs.to(wide), gradient.to(wide)
        mean = (wide_gradient * outputs).sum(ctx.dim, keepdim=True)
        return (outputs * (wide_gradient - mean)).to(gradient.dtype), None


class _LogSoftmax(Operation):
    r"""The gradient is :math:`g_j - s_j \sum_i g_i`.

    This follows from :math:`\partial \ell_i / \partial x_j = [i = j] - s_j`.
    """

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, dim: int) -> torch.Tensor:
        outputs = stable_log_softmax(values, dim).to(values.dtype)
        ctx.save_for_backward(outputs)
        ctx.dim = dim
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (outputs,) = ctx.saved_tensors
        wide = accumulation_dtype(outputs.dtype)
        outputs, wide_gradient = outputs.to(wide), gradient.to(wide)
        total = wide_gradient.sum(ctx.dim, keepdim=True)
        return (wide_gradient - outputs.exp() * total).to(gradient.dtype), None


def stable_log_softmax(values: torch.Tensor, dim: int) -> torch.Tensor:
    r"""Compute :math:`x - \max x - \log \sum e^{x - \max x}`, in float32 for 16-bit inputs.

    A softmax does not change when one number is subtracted from all logits. After subtracting the
    largest logit no exponential exceeds 1, so nothing overflows, and the sum is at least 1.
    """
    wide = values.to(accumulation_dtype(values.dtype))
    shifted = wide - wide.amax(dim, keepdim=True)
    return shifted - shifted.exp().sum(dim, keepdim=True).log()


def relu(values: torch.Tensor) -> torch.Tensor:
    r"""Compute :math:`\max(x, 0)`, any shape.

    Source: Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, 2010.

    Example:
        >>> relu(torch.tensor([-2.0, 0.0, 3.0]))
        tensor([0., 0., 3.])
    """
    check_floating(values, subject="values")
    return _Relu.call(values)


def leaky_relu(values: torch.Tensor, slope: float = 0.01) -> torch.Tensor:
    r"""Compute :math:`x` where it is positive, else ``slope`` :math:`\cdot\,x`; any shape.

    Source: Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models,
    2013.

    Example:
        >>> leaky_relu(torch.tensor([-2.0, 0.0, 3.0]), slope=0.5)
        tensor([-1.,  0.,  3.])
    """
    check_floating(values, subject="values")
    return _LeakyRelu.call(values, slope)


def relu6(values: torch.Tensor) -> torch.Tensor:
    r"""Compute :math:`\min(\max(x, 0), 6)`, any shape.

    Source: Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010.

    Example:
        >>> relu6(torch.tensor([-2.0, 3.0, 7.0]))
        tensor([0., 3., 6.])
    """
    check_floating(values, subject="values")
    return _Relu6.call(values)


def sigmoid(values: torch.Tensor) -> torch.Tensor:
    r"""Compute :math:`1 / (1 + e^{-x})`, any shape, without overflow for large numbers.

    Example:
        >>> sigmoid(torch.tensor([-1000.0, 0.0, 1000.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    check_floating(values, subject="values")
    return _Sigmoid.call(values)


def tanh(values: torch.Tensor) -> torch.Tensor:
    r"""Compute :math:`(e^x - e^{-x}) / (e^x + e^{-x})`, any shape.

    Example:
        >>> tanh(torch.tensor([-1000.0, 0.0, 1000.0]))
        tensor([-1.,  0.,  1.])
    """
    check_floating(values, subject="values")
    return _Tanh.call(values)


def softmax(values: torch.Tensor, dim: int = -1) -> torch.Tensor:
    r"""Compute :math:`e^{x_i} / \sum_j e^{x_j}` along ``dim``: positive numbers that add up to 1.

    Example:
        >>> softmax(torch.tensor([1000.0, 1000.0]))
        tensor([0.5000, 0.5000])
    """
    check_floating(values, subject="values")
    return _Softmax.call(values, dim)


def log_softmax(values: torch.Tensor, dim: int = -1) -> torch.Tensor:
    r"""Compute :math:`x_i - \log \sum_j e^{x_j}` along ``dim``, finite even where softmax is 0.

    Example:
        >>> log_softmax(torch.tensor([0.0, 1000.0]))
        tensor([-1000.,     0.])
    """
    check_floating(values, subject="values")
    return _LogSoftmax.call(values, dim)
