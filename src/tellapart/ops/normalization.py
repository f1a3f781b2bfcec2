r"""Batch and layer normalisation: one formula over different dimensions.

Both give a set of :math:`m` numbers mean 0 and variance 1, then scale and shift them:

.. math:: \hat x = \frac{x - \mu}{\sigma}, \qquad \sigma = \sqrt{\mathrm{var}(x) + \epsilon},
    \qquad y = \gamma \hat x + \beta

In batch normalisation a set is one channel of the whole batch; in layer normalisation it is the
last dimensions of one image.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from tellapart.errors import ConfigError, ShapeError
from tellapart.ops.arguments import (
    accumulation_dtype,
    check_floating,
    check_fraction,
    check_shape,
)
from tellapart.ops.operation import Operation


class _Normalization(Operation):
    r"""The three-term formula.

    Let :math:`\hat g = \gamma g` be the gradient at :math:`\hat x`. A number :math:`x_i` changes
    the loss in three ways: through its own :math:`\hat x_i`, through the mean and through the
    standard deviation,

    .. math:: \frac{\partial \hat x_j}{\partial x_i}
        = \frac{1}{\sigma} \Bigl( [i = j] - \frac{1}{m} - \frac{1}{m} \hat x_i \hat x_j \Bigr),

    since :math:`\partial \mu / \partial x_i = 1/m` and
    :math:`\partial \sigma / \partial x_i = \hat x_i / m`. Summed over :math:`j` with
    :math:`\hat g_j`:

    .. math:: \frac{\partial L}{\partial x} = \frac{1}{\sigma} \bigl( \hat g
        - \mathrm{mean}(\hat g) - \hat x\, \mathrm{mean}(\hat g \hat x) \bigr).

    The last two terms remove the parts of the gradient that the normalisation would undo: a common
    shift and a common scale. With fixed statistics (evaluation) only the first term remains.
    :math:`\partial L/\partial\gamma = \sum g \hat x` and :math:`\partial L/\partial\beta = \sum g`.
    """

    @staticmethod
    def forward(
        ctx: Any,
        values: torch.Tensor,
        scale: torch.Tensor | None,
        shift: torch.Tensor | None,
        mean: torch.Tensor,
        inverse_std: torch.Tensor,
        over: tuple[int, ...],
    ) -> torch.Tensor:
        """``over`` holds the dimensions of the statistics; it is empty where they are fixed."""
        ctx.save_for_backward(values, scale, mean, inverse_std)
        ctx.over = over
        ctx.shift_like = None if shift is None else (shift.shape, shift.dtype)
        outputs = (values - mean) * inverse_std
        if scale is not None:
            outputs = outputs * scale
        if shift is not None:
            outputs = outputs + shift
        return outputs.to(values.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        values, scale, mean, inverse_std = ctx.saved_tensors
        normalized = (values - mean) * inverse_std
        gradient = gradient.to(normalized.dtype)
        to_values = to_scale = to_shift = None
        if ctx.needs_input_grad[0]:
            to_normalized = gradient if scale is None else gradient * scale
            if ctx.over:
                along = (to_normalized * normalized).mean(ctx.over, keepdim=True)
                to_normalized = (
                    to_normalized - to_normalized.mean(ctx.over, keepdim=True) - normalized * along
                )
            to_values = (to_normalized * inverse_std).to(values.dtype)
        if ctx.needs_input_grad[1]:
            to_scale = (gradient * normalized).sum_to_size(scale.shape).to(scale.dtype)
        if ctx.needs_input_grad[2]:
            shape, dtype = ctx.shift_like
            to_shift = gradient.sum_to_size(shape).to(dtype)
        return to_values, to_scale, to_shift, None, None, None


def batch_norm(
    images: torch.Tensor,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    *,
    running_mean: torch.Tensor | None = None,
    running_var: torch.Tensor | None = None,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> torch.Tensor:
    r"""Normalise every channel over the batch and its pixels.

    Training uses the mean and the (biased) variance of the batch and updates the running
    statistics, ``running += momentum * (batch - running)``, with the unbiased variance as in torch.
    Evaluation uses the running statistics, so that the result for an image does not depend on the
    other images of the batch.

    Args:
        images: floating point, (batch, channels, ...): (batch, channels, height, width) or
            (batch, channels).
        weight: :math:`\gamma`, (channels,), or None for 1. May be float32 beside half images.
        bias: :math:`\beta`, (channels,), or None for 0.
        running_mean: (channels,), changed in place while training, or None to keep none.
        running_var: likewise.
        training: whether to normalise with the batch's own statistics.
        momentum: the weight of the new batch in the running statistics, 0..1.
        eps: added to the variance, so that it is not 0 for a constant channel.

    Returns:
        The images' shape and type; 16-bit types are computed in float32.

    Raises:
        ShapeError: where a shape or a type is wrong, or training has one value per channel.
        ConfigError: where evaluation has no running statistics, or momentum is not in 0..1.

    Source: Ioffe and Szegedy, Batch normalization, 2015, arXiv:1502.03167, section 3.

    Example:
        >>> batch_norm(torch.tensor([[1.0], [3.0]]), training=True, eps=0.0)
        tensor([[-1.],
                [ 1.]])
    """
    check_floating(images, subject="images")
    if images.ndim < 2:
        raise ShapeError(f"images must be (batch, channels, ...), got {tuple(images.shape)}")
    channels = images.shape[1]
    check_fraction(momentum, subject="momentum")
    for subject, values in (
        ("weight", weight),
        ("bias", bias),
        ("running_mean", running_mean),
        ("running_var", running_var),
    ):
        check_shape(values, (channels,), subject=subject)
    if training:
        mean, variance = _batch_statistics(images, running_mean, running_var, momentum)
    elif running_mean is None or running_var is None:
        raise ConfigError(
            "batch_norm needs running_mean and running_var to evaluate, got none; "
            "pass them, or training=True to use the batch's own"
        )
    else:
        mean, variance = running_mean, running_var
    per_channel = (1, channels, *[1] * (images.ndim - 2))
    wide = accumulation_dtype(images.dtype)
    inverse_std = (variance.detach().to(wide) + eps).rsqrt()
    over = (0, *range(2, images.ndim)) if training else ()
    return _Normalization.call(
        images,
        None if weight is None else weight.view(per_channel),
        None if bias is None else bias.view(per_channel),
        mean.detach().to(wide).view(per_channel),
        inverse_std.view(per_channel),
        over,
    )


@torch.no_grad()
def _batch_statistics(
    images: torch.Tensor,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    momentum: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and biased variance per channel, and update the running statistics."""
    count = images.numel() // max(1, images.shape[1])
    if count < 2:
        raise ShapeError(
            "images must hold more than one value per channel to train batch_norm, "
            f"got {tuple(images.shape)}; use a larger batch, or training=False"
        )
    mean, variance = (
        statistic.flatten() for statistic in _statistics(images, (0, *range(2, images.ndim)))
    )
    if running_mean is not None:
        running_mean.lerp_(mean.to(running_mean.dtype), momentum)
    if running_var is not None:
        unbiased = variance * (count / (count - 1))
        running_var.lerp_(unbiased.to(running_var.dtype), momentum)
    return mean, variance


def _statistics(values: torch.Tensor, over: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and biased variance in the type for long sums; ``over`` keeps length 1."""
    wide = values.to(accumulation_dtype(values.dtype))
    mean = wide.mean(over, keepdim=True)
    # From centred values: far from zero mean(x^2) - mean(x)^2 would lose its digits.
    return mean, (wide - mean).square().mean(over, keepdim=True)


def layer_norm(
    features: torch.Tensor,
    normalized_shape: tuple[int, ...],
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    *,
    eps: float = 1e-5,
) -> torch.Tensor:
    r"""Normalise every image on its own, over its last dimensions.

    Args:
        features: floating point, (..., *normalized_shape).
        normalized_shape: the last dimensions, over which mean and variance are taken.
        weight: :math:`\gamma`, of ``normalized_shape``, or None for 1.
        bias: :math:`\beta`, of ``normalized_shape``, or None for 0.
        eps: added to the variance.

    Returns:
        The features' shape and type; 16-bit types are computed in float32.

    Raises:
        ShapeError: where a shape or a type is wrong.

    Source: Ba, Kiros and Hinton, Layer normalization, 2016, arXiv:1607.06450, section 3.

    Example:
        >>> layer_norm(torch.tensor([[1.0, 3.0], [20.0, 10.0]]), (2,), eps=0.0)
        tensor([[-1.,  1.],
                [ 1., -1.]])
    """
    check_floating(features, subject="features")
    rank = len(normalized_shape)
    if rank == 0 or tuple(features.shape[-rank:]) != tuple(normalized_shape):
        raise ShapeError(
            f"features must end in normalized_shape {tuple(normalized_shape)}, "
            f"got {tuple(features.shape)}"
        )
    check_shape(weight, tuple(normalized_shape), subject="weight")
    check_shape(bias, tuple(normalized_shape), subject="bias")
    over = tuple(range(-rank, 0))
    with torch.no_grad():
        mean, variance = _statistics(features, over)
        inverse_std = (variance + eps).rsqrt()
    return _Normalization.call(features, weight, bias, mean, inverse_std, over)
