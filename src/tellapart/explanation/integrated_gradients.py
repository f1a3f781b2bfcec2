"""Integrated gradients: how much each pixel adds to a class's score on the way from nothing.

``map_i = (x_i - b_i) * integral over t in 0..1 of dF(b + t (x - b)) / dx_i``, summed over the
channels. The integral is computed by Gauss-Legendre quadrature. The map's sum is ``F(x) - F(b)``
but for the error of the quadrature; this error, relative to that difference, is the *completeness
gap*.

Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, section 3
and proposition 1.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tellapart.evaluation.predicting import evaluation_mode

LARGEST_GAP = 0.01
_FEWEST_STEPS, _MOST_STEPS = 32, 2048


def integrated_gradients(
    network: nn.Module, inputs: Tensor, targets: Tensor, *, steps: int
) -> Tensor:
    """Return the map of a class for each image, from the mean colour on (0 when normalised).

    Args:
        network: normalised images (batch, channels, height, width) to logits (batch, classes).
        inputs: float32 (batch, channels, height, width), normalised.
        targets: int64 (batch,), the class that is explained for each image.
        steps: the number of points of the quadrature; each costs a forward and a backward pass.

    Returns:
        float32 (batch, height, width).
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)  # of -1..1
    total = torch.zeros_like(inputs)
    with evaluation_mode(network), torch.enable_grad():
        for node, weight in zip((1 + nodes) / 2, weights / 2, strict=True):
            point = (inputs * float(node)).detach().requires_grad_()
            scores = network(point).gather(1, targets[:, None])
            [gradient] = torch.autograd.grad(scores.sum(), point)
            total += float(weight) * gradient
    maps: Tensor = (inputs * total).sum(1)
    return maps


def completeness_gap(network: nn.Module, inputs: Tensor, targets: Tensor, maps: Tensor) -> Tensor:
    """Return ``|sum(map) - (F(x) - F(b))| / |F(x) - F(b)|`` for each image, float64 (batch,)."""
    with evaluation_mode(network), torch.no_grad():
        scores = network(inputs).gather(1, targets[:, None]).squeeze(1).double()
        nothing = network(torch.zeros_like(inputs[:1])).squeeze(0)[targets].double()
    difference = scores - nothing
    missing = (maps.double().sum((1, 2)) - difference).abs()
    return missing / difference.abs().clamp_min(torch.finfo(torch.float32).tiny)


def complete_integrated_gradients(
    network: nn.Module, inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the maps with enough steps for a completeness gap below 1 %, and the gaps.

    The steps are doubled, from 32 to at most 2,048, for those images that need it: along a path
    through a network of ReLUs the gradient jumps, and no fixed number of points suits every image.
    A gap that is still larger after that is returned as it is.

    Args:
        network: as `integrated_gradients`.
        inputs: as `integrated_gradients`.
        targets: as `integrated_gradients`.

    Returns:
        Maps, float32 (batch, height, width), and gaps, float64 (batch,).
    """
    maps = inputs.new_zeros(len(inputs), *inputs.shape[2:])
    gaps = torch.full((len(inputs),), torch.inf, dtype=torch.float64, device=inputs.device)
    steps, open_ = _FEWEST_STEPS, torch.arange(len(inputs), device=inputs.device)
    while len(open_) and steps <= _MOST_STEPS:
        part, classes = inputs[open_], targets[open_]
        found = integrated_gradients(network, part, classes, steps=steps)
        gap = completeness_gap(network, part, classes, found)
        better = gap < gaps[open_]
        maps[open_[better]], gaps[open_[better]] = found[better], gap[better]
        open_ = open_[gaps[open_] >= LARGEST_GAP]
        steps *= 2
    return maps, gaps
