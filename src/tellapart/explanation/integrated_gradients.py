"""Integrated gradients: how much each pixel adds to a class's score on the way from nothing.

``map_i = (x_i - b_i) * integral over t in 0..1 of dF(b + t (x - b)) / dx_i``, summed over the
channels, where ``b`` is an image of the mean colour: 0 in the normalised form. The integral is
computed by Gauss-Legendre quadrature. The map's sum is ``F(x) - F(b)`` but for the error of the
quadrature; this error, relative to that difference, is the *completeness gap*.

Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, section 3
and proposition 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tellapart.evaluation.predicting import evaluation_mode, images_at_a_time

LARGEST_GAP = 0.01
_FIRST_INTERVALS, _POINTS, _MOST_ROUNDS = 4, 4, 24
# Intervals whose error is at least this fraction of the image's largest are halved together.
_HALVED = 0.3
# With a gradient every layer's output is kept, so fewer images fit into the processor's cache.
_MOST_IMAGES_WITH_GRADIENT = 64
# Of scores that hardly differ, the gap is relative to this.
_SMALLEST_DIFFERENCE = 1e-6


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
    with evaluation_mode(network):
        path = _Paths(network, inputs, targets, steps)
        return path.whole(num_intervals=1).maps


def complete_integrated_gradients(
    network: nn.Module, inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Return maps whose completeness gaps are below 1 %, and the gaps.

    Along the path through a network of ReLUs the gradient jumps, and no fixed number of points
    suits every image. So the path begins as 4 intervals of 4 points each. What an interval adds to
    the map is known, and how much it should add: the difference of the scores at its ends. As long
    as a gap of the image is 1 % or more, its worst intervals are halved, at most 24 times; a gap
    that is still larger then, of two scores that hardly differ, is returned as it is.

    Args:
        network: as `integrated_gradients`.
        inputs: as `integrated_gradients`.
        targets: as `integrated_gradients`.

    Returns:
        Maps, float32 (batch, k, height, width), and gaps, float64 (batch, k).
    """
    with evaluation_mode(network):
        paths = _Paths(network, inputs, targets, _POINTS)
        parts = paths.whole(_FIRST_INTERVALS)
        gaps = paths.gaps(parts)
        for _ in range(_MOST_ROUNDS):
            is_open = gaps >= LARGEST_GAP
            if not is_open.any():
                break
            parts = paths.refined(parts, is_open)
            gaps = paths.gaps(parts)
    maps = inputs.new_zeros(*targets.shape, *inputs.shape[2:])
    return maps.index_add_(0, parts.image, parts.maps), gaps


@dataclass(frozen=True)
class _Intervals:
    """Intervals of the paths of several images; the first axis of every field is the interval.

    ``image`` is the index of the image, ``low`` and ``high`` are the ends in 0..1, ``score_low``
    and ``score_high`` the scores there, (intervals, k), ``maps`` what the interval adds to the
    maps, (intervals, k, height, width), and ``errors`` their sums minus the differences of the
    scores, (intervals, k).
    """

    image: Tensor
    low: Tensor
    high: Tensor
    score_low: Tensor
    score_high: Tensor
    maps: Tensor
    errors: Tensor

    def select(self, which: Tensor) -> _Intervals:
        return _Intervals(*(value[which] for value in vars(self).values()))

    def joined(self, other: _Intervals) -> _Intervals:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _Intervals(*(torch.cat(pair) for pair in pairs))


class _Paths:
    """The straight paths from the mean colour to images, and the integrals along them."""

    def __init__(self, network: nn.Module, inputs: Tensor, targets: Tensor, points: int) -> None:
        self._network, self._inputs, self._targets = network, inputs, targets
        nodes, weights = np.polynomial.legendre.leggauss(points)  # of -1..1
        self._nodes = torch.tensor((1 + nodes) / 2).to(inputs)
        self._weights = torch.tensor(weights / 2).to(inputs)
        self._size = min(images_at_a_time(inputs.shape), _MOST_IMAGES_WITH_GRADIENT)

    def whole(self, num_intervals: int) -> _Intervals:
        """All paths, in equal intervals."""
        count, device = len(self._inputs), self._inputs.device
        ends = torch.linspace(0, 1, num_intervals + 1, device=device).to(self._inputs)
        images = torch.arange(count, device=device)
        scores = self._scores_at(images.repeat_interleave(len(ends)), ends.repeat(count))
        scores = scores.view(count, len(ends), -1)
        self._differences = scores[:, -1] - scores[:, 0]
        return self._integrated(
            images.repeat_interleave(num_intervals),
            ends[:-1].repeat(count),
            ends[1:].repeat(count),
            scores[:, :-1].flatten(0, 1),
            scores[:, 1:].flatten(0, 1),
        )

    def gaps(self, parts: _Intervals) -> Tensor:
        """The completeness gaps, (batch, k)."""
        missing = torch.zeros_like(self._differences).index_add_(0, parts.image, parts.errors)
        return missing.abs() / self._differences.abs().clamp_min(_SMALLEST_DIFFERENCE)

    def refined(self, parts: _Intervals, is_open: Tensor) -> _Intervals:
        """The same paths, the worst intervals halved where a class of an image is open."""
        sizes = parts.errors.abs()
        images = parts.image[:, None].expand_as(sizes)
        worst = torch.zeros_like(self._differences).scatter_reduce_(0, images, sizes, "amax")
        is_bad = is_open[parts.image] & (sizes >= _HALVED * worst[parts.image])
        is_halved = is_bad.any(1)
        old = parts.select(is_halved)
        middle = (old.low + old.high) / 2
        scores = self._scores_at(old.image, middle)
        lower = self._integrated(old.image, old.low, middle, old.score_low, scores)
        upper = self._integrated(old.image, middle, old.high, scores, old.score_high)
        return parts.select(~is_halved).joined(lower).joined(upper)

    def _integrated(
        self, image: Tensor, low: Tensor, high: Tensor, score_low: Tensor, score_high: Tensor
    ) -> _Intervals:
        widths = high - low
        places = low[:, None] + widths[:, None] * self._nodes  # (intervals, points)
        weights = widths[:, None] * self._weights
        numbers = torch.arange(len(image), device=image.device).repeat_interleave(len(self._nodes))
        maps = self._inputs.new_zeros(len(image), *self._targets.shape[1:], *self._inputs.shape[2:])
        flat = (numbers, image[numbers], places.flatten(), weights.flatten())
        for number, rows, place, weight in self._batches(*flat):
            for column, gradient in enumerate(self._gradients(rows, place)):
                values = (gradient * self._inputs[rows]).sum(1) * weight[:, None, None]
                maps[:, column].index_add_(0, number, values)
        errors = maps.double().sum((2, 3)) - (score_high - score_low)
        return _Intervals(image, low, high, score_low, score_high, maps, errors)

    def _gradients(self, rows: Tensor, place: Tensor) -> Iterator[Tensor]:
        """For each of the k classes the gradient at points, (points, channels, height, width)."""
        with torch.enable_grad():
            points = self._points(rows, place).requires_grad_()
            # Images do not see one another, so the gradient of a sum is that of each.
            scores = self._network(points).gather(1, self._targets[rows]).sum(0)
            for number, score in enumerate(scores):
                is_last = number == len(scores) - 1
                yield torch.autograd.grad(score, points, retain_graph=not is_last)[0]

    def _scores_at(self, rows: Tensor, places: Tensor) -> Tensor:
        """float64 (points, k)."""
        with torch.no_grad():
            return torch.cat(
                [
                    self._network(self._points(part, place)).double().gather(1, self._targets[part])
                    for part, place in self._batches(rows, places)
                ]
            )

    def _points(self, rows: Tensor, place: Tensor) -> Tensor:
        return self._inputs[rows] * place[:, None, None, None]

    def _batches(self, *columns: Tensor) -> Iterator[tuple[Tensor, ...]]:
        return zip(*(torch.split(column, self._size) for column in columns), strict=True)
