"""The linear layer: one inner product per output."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from tellapart.errors import ShapeError
from tellapart.ops.arguments import check_alike, check_floating, check_shape, lowered_by_autocast
from tellapart.ops.operation import Operation


class _Linear(Operation):
    r"""With :math:`Y = X W^\top + b` and :math:`G = \partial L / \partial Y`, row by row.

    :math:`y_o = \sum_i x_i w_{oi} + b_o` gives :math:`\partial L/\partial x_i = \sum_o g_o w_{oi}`,
    so :math:`\partial L / \partial X = G W`; and :math:`\partial L/\partial w_{oi} = \sum g_o x_i`
    over the rows, so :math:`\partial L / \partial W = G^\top X`; the bias receives the sum of
    :math:`G` over the rows.
    """

    @staticmethod
    def forward(
        ctx: Any, features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.save_for_backward(features, weight)
        outputs = features @ weight.T
        return outputs if bias is None else outputs + bias

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        features, weight = ctx.saved_tensors
        to_features = to_weight = to_bias = None
        rows = gradient.reshape(-1, len(weight))  # (all leading dimensions, outputs)
        if ctx.needs_input_grad[0]:
            to_features = gradient @ weight
        if ctx.needs_input_grad[1]:
            to_weight = rows.T @ features.reshape(-1, weight.shape[1])
        if ctx.needs_input_grad[2]:
            to_bias = rows.sum(0)
        return to_features, to_weight, to_bias


def linear(
    features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    r"""Compute :math:`y_o = \sum_i x_i w_{oi} + b_o` on the last dimension.

    Args:
        features: floating point, (..., inputs).
        weight: (outputs, inputs).
        bias: (outputs,), or None for no bias.

    Returns:
        (..., outputs), in autocast's type under autocast, else in the features' type.

    Raises:
        ShapeError: where shapes or types do not fit together.

    Example:
        >>> linear(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), torch.tensor([10.0]))
        tensor([[21.]])
    """
    check_floating(features, subject="features")
    check_floating(weight, subject="weight")
    if weight.ndim != 2:
        raise ShapeError(f"weight must be (outputs, inputs), got {tuple(weight.shape)}")
    if features.ndim < 1 or features.shape[-1] != weight.shape[1]:
        raise ShapeError(
            f"features must be (..., {weight.shape[1]}), as weight is {tuple(weight.shape)}, "
            f"got {tuple(features.shape)}; flatten images with .flatten(1)"
        )
    check_shape(bias, (len(weight),), subject="bias")
    features, weight = lowered_by_autocast(features), lowered_by_autocast(weight)
    bias = None if bias is None else lowered_by_autocast(bias)
    check_alike(features, weight, subjects="features and weight")
    check_alike(features, bias, subjects="features and bias")
    return _Linear.call(features, weight, bias)
