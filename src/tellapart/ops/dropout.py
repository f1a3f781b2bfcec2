"""Dropout: set numbers or whole channels to 0 at random while training."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from tellapart.ops.arguments import check_floating, check_fraction, check_images
from tellapart.ops.operation import Operation


class _Scale(Operation):
    r"""Values and gradient are multiplied by the same mask: :math:`y = m x`, :math:`g_x = m g`."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(mask)
        return values * mask

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (mask,) = ctx.saved_tensors
        return gradient * mask, None


def dropout(
    values: torch.Tensor,
    probability: float = 0.5,
    *,
    generator: torch.Generator,
    training: bool = True,
) -> torch.Tensor:
    """Set each number to 0 with this probability, and scale the others up.

    The others are divided by ``1 - probability``. So the expected value does not change, and
    evaluation needs no correction.

    Args:
        values: floating point, any shape.
        probability: of a number to be dropped, 0..1.
        generator: the random generator, on the values' device.
        training: where False, ``values`` are returned unchanged.

    Raises:
        ShapeError: where the values are not floating point.
        ConfigError: where the probability does not lie in 0..1.

    Source: Srivastava et al., Dropout, 2014, section 10 (inverted form).

    Example:
        >>> dropout(torch.ones(6), 0.5, generator=torch.Generator().manual_seed(0))
        tensor([0., 2., 0., 0., 0., 2.])
    """
    check_floating(values, subject="values")
    return _drop(values, values.shape, probability, generator, training)


def channel_dropout(
    images: torch.Tensor,
    probability: float = 0.5,
    *,
    generator: torch.Generator,
    training: bool = True,
) -> torch.Tensor:
    """Set whole channels to 0 with this probability, and scale the others up.

    Neighbouring pixels hold nearly the same information, so dropping single pixels, as `dropout`
    does, hides little.

    Args:
        images: floating point, (batch, channels, height, width).
        probability: of each channel of each image to be dropped, 0..1.
        generator: the random generator, on the images' device.
        training: where False, ``images`` are returned unchanged.

    Raises:
        ShapeError: where the images are not floating point (batch, channels, height, width).
        ConfigError: where the probability does not lie in 0..1.

    Source: Tompson et al., Efficient object localization using convolutional networks, 2014,
    arXiv:1411.4280, section 3.3 (SpatialDropout).

    Example:
        >>> images = torch.ones(1, 6, 2, 2)
        >>> dropped = channel_dropout(images, 0.5, generator=torch.Generator().manual_seed(0))
        >>> dropped.sum((0, 2, 3))
        tensor([0., 8., 0., 0., 0., 8.])
    """
    check_images(images)
    return _drop(images, (*images.shape[:2], 1, 1), probability, generator, training)


def _drop(
    values: torch.Tensor,
    mask_shape: tuple[int, ...],
    probability: float,
    generator: torch.Generator,
    training: bool,
) -> torch.Tensor:
    check_fraction(probability, subject="probability")
    if not training or probability == 0.0:
        return values
    chance = torch.rand(mask_shape, generator=generator, device=values.device)
    # rand lies in [0, 1): with probability 1 everything is dropped, and no scale is needed.
    scale = 1.0 / (1.0 - probability) if probability < 1.0 else 0.0
    mask = (chance >= probability).to(values.dtype) * scale
    return _Scale.call(values, mask)
