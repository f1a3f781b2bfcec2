"""Integrated gradients: how much each pixel adds to a class's score on the way from nothing.

``map_i = (x_i - b_i) * integral over t in 0..1 of dF(b + t (x - b)) / dx_i``, summed over the
channels, where ``b`` is an image of the mean colour: 0 in the normalised form. The map's sum is
``F(x) - F(b)`` but for the error of the quadrature; this error, relative to that difference, is the
*completeness gap*.

The integral is computed by the midpoint rule. Three times as many points include those before, so
points are added where the gap demands it and none is wasted. Along a path through a network of
ReLUs the gradient jumps: there no rule of higher order is better.

Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, section 3
and proposition 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tellapart.evaluation.predicting import evaluation_mode, images_at_a_time

LARGEST_GAP = 0.01
FEWEST_STEPS = 15
_MOST_STEPS = FEWEST_STEPS * 3**5
# With a gradient every layer's output is kept, so fewer images fit into the processor's cache.
_MOST_IMAGES_WITH_GRADIENT = 64


def integrated_gradients(
    network: nn.Module, inputs: Tensor, targets: Tensor, *, steps: int
) -> Tensor:
    """Return a map for each image and class, by a fixed number of points.

    Args:
        network: normalised images (batch, channels, height, width) to logits (batch, classes).
        inputs: float32 (batch, channels, height, width), normalised.
        targets: int64 (batch, k), the classes that are explained for each image.
        steps: the number of points; each costs a forward pass and k backward passes.

    Returns:
        float32 (batch, k, height, width).
    """
    return _maps(inputs, _summed_gradients(network, inputs, targets, _midpoints(steps)), steps)


def complete_integrated_gradients(
    network: nn.Module, inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Return maps with as many points as make each completeness gap less than 1 %, and the gaps.

    An image has 15 points at first, then three times as many, up to 3,645; a gap that is still
    larger then is returned as it is.

    Args:
        network: as `integrated_gradients`.
        inputs: as `integrated_gradients`.
        targets: as `integrated_gradients`.

    Returns:
        Maps, float32 (batch, k, height, width), and gaps, float64 (batch, k).
    """
    differences = _differences(network, inputs, targets)
    maps = inputs.new_zeros(*targets.shape, *inputs.shape[2:])
    gaps = differences.new_full(differences.shape, torch.inf)
    remaining = torch.arange(len(inputs), device=inputs.device)
    total: Tensor | float = 0.0
    steps, points = FEWEST_STEPS, _midpoints(FEWEST_STEPS)
    while len(remaining):
        images, classes = inputs[remaining], targets[remaining]
        total = total + _summed_gradients(network, images, classes, points)
        maps[remaining] = _maps(images, total, steps)
        gaps[remaining] = completeness_gaps(maps[remaining], differences[remaining])
        if steps == _MOST_STEPS:
            break
        is_open = (gaps[remaining] >= LARGEST_GAP).any(1)
        remaining, total = remaining[is_open], total[is_open]
        steps *= 3
        points = _midpoints(steps)[torch.arange(steps) % 3 != 1]  # every third is known
    return maps, gaps


def completeness_gaps(maps: Tensor, differences: Tensor) -> Tensor:
    """Return ``|sum(map) - difference| / |difference|``, float64 (batch, k).

    Args:
        maps: (batch, k, height, width).
        differences: float64 (batch, k), the score of the image minus that of the plain image.
    """
    missing = (maps.double().sum((2, 3)) - differences).abs()
    return missing / differences.abs().clamp_min(torch.finfo(torch.float32).tiny)


def _differences(network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """``F(x) - F(b)`` for each image and class."""
    with evaluation_mode(network), torch.no_grad():
        scores = network(inputs).double().gather(1, targets)
        nothing = network(torch.zeros_like(inputs[:1])).double().squeeze(0)[targets]
    differences: Tensor = scores - nothing
    return differences


def _midpoints(steps: int) -> Tensor:
    return (torch.arange(steps) + 0.5) / steps


def _maps(inputs: Tensor, total: Tensor, steps: int) -> Tensor:
    """(batch, k, height, width), from the summed gradients of as many points."""
    maps: Tensor = (inputs[:, None] * total / steps).sum(2)
    return maps


def _summed_gradients(
    network: nn.Module, inputs: Tensor, targets: Tensor, points: Tensor
) -> Tensor:
    """The gradients at all points of the path, summed: (batch, k, channels, height, width)."""
    total = inputs.new_zeros(*targets.shape, *inputs.shape[1:])
    points = points.to(inputs)
    size = min(images_at_a_time(inputs.shape), _MOST_IMAGES_WITH_GRADIENT)
    numbers = torch.arange(len(inputs) * len(points), device=inputs.device)
    with evaluation_mode(network), torch.enable_grad():
        for part in torch.split(numbers, size):
            rows = part // len(points)
            at = points[part % len(points)].view(-1, 1, 1, 1)
            place = (inputs[rows] * at).detach().requires_grad_()
            scores = network(place).gather(1, targets[rows]).sum(0)  # (k,)
            for number, score in enumerate(scores):
                is_last = number == len(scores) - 1
                [gradient] = torch.autograd.grad(score, place, retain_graph=not is_last)
                total[:, number].index_add_(0, rows, gradient)
    return total
