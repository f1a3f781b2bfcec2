"""Calibration: a temperature for logits, and what a perfectly calibrated classifier would show.

A temperature is one number that all logits are divided by, so that of the images that are answered
with a confidence of 80 %, 80 % are correct. It changes no answer. Source: Guo et al., "On
Calibration of Modern Neural Networks", ICML 2017, section 4.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tellapart.evaluation.metrics import ReliabilityBin, checked_logits

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.01, 100.0
"""The limits of a temperature; no network that was trained to an end needs one near them."""

# The weight of the prior: it counts as much as one image does.
_PRIOR_WEIGHT = 1.0
_MOST_STEPS, _TOLERANCE = 100, 1e-10
_SEED = 0
_NUM_DRAWS, _FEWEST_DRAWS, _MOST_DRAWN = 1000, 200, 20_000_000
_DRAWN_AT_ONCE = 2_000_000


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature with the lowest cross-entropy on images that were not trained on.

    With ``b = 1 / T`` it minimises ``sum_i -log softmax(b z_i)[y_i] + (b - log b)``, which is
    convex in ``b``. The last term is a prior that counts as one image and is lowest at ``b = 1``:
    without it the best temperature of images that are all classified correctly would be 0, and that
    of a handful of images mostly chance. Newton's steps within a bracket, in float64.

    Args:
        logits: floating point (images, classes), without a temperature.
        labels: int64 (images,).

    Returns:
        The temperature, within `LOWEST_TEMPERATURE` and `HIGHEST_TEMPERATURE`.

    Raises:
        ShapeError, DataError, DivergedError: as `evaluate_logits`.

    >>> certain = torch.tensor([[8.0, 0.0], [8.0, 0.0], [8.0, 0.0], [0.0, 8.0]] * 50)
    >>> fit_temperature(certain, torch.tensor([0, 0, 1, 1] * 50)) > 5
    True
    """
    logits, labels = checked_logits(logits, labels)
    centred = logits - logits.gather(1, labels[:, None])  # 0 for the true class
    low, high = math.log(1 / HIGHEST_TEMPERATURE), math.log(1 / LOWEST_TEMPERATURE)
    position = 0.0  # of log b, in which steps are of a like size everywhere
    for _ in range(_MOST_STEPS):
        slope, curvature = _derivatives(centred, math.exp(position))
        low, high = (position, high) if slope < 0 else (low, position)
        step = -slope / curvature if curvature > 0 else math.copysign(math.inf, -slope)
        following = position + step
        if not low <= following <= high:
            following = (low + high) / 2
        if abs(following - position) < _TOLERANCE:
            break
        position = following
    return min(max(math.exp(-position), LOWEST_TEMPERATURE), HIGHEST_TEMPERATURE)


def _derivatives(centred: Tensor, inverse: float) -> tuple[float, float]:
    """The first and second derivative of the penalised loss, by the logarithm of 1 / T."""
    probabilities = (inverse * centred).softmax(1)
    means = (probabilities * centred).sum(1)
    variances = (probabilities * (centred - means[:, None]).square()).sum(1)
    slope = float(means.sum()) + _PRIOR_WEIGHT * (1 - 1 / inverse)
    curvature = float(variances.sum()) + _PRIOR_WEIGHT / inverse**2
    return inverse * slope, inverse * slope + inverse**2 * curvature


@dataclass(frozen=True)
class PerfectCalibration:
    """What a perfectly calibrated classifier of the same confidence would show, with 95 % chance.

    Args:
        error: the lowest and the highest expected calibration error, in 0..1.
        bins: the lowest and the highest accuracy in each bin; None for a bin without images.
    """

    error: tuple[float, float]
    bins: tuple[tuple[float, float] | None, ...]


def perfect_calibration(
    probabilities: Tensor, bins: Sequence[ReliabilityBin]
) -> PerfectCalibration:
    """Simulate classifiers whose confidence is exactly the chance that they are correct.

    The answers to a few hundred images are scattered even then, so that no calibration error is 0:
    correct or not is drawn for each image with its own confidence, a thousand times with a fixed
    seed (fewer times for more than 20,000 images).

    Args:
        probabilities: floating point (images, classes).
        bins: of the same images, from `reliability_bins`.

    Cost: about 80 ms for 10,000 images.
    """
    confidences = probabilities.max(1).values.double().cpu()
    edges = torch.tensor([bin_.high for bin_ in bins[:-1]], dtype=torch.float64)
    place = torch.bucketize(confidences, edges)
    members = torch.nn.functional.one_hot(place, len(bins)).float()  # (images, bins)
    hits = _drawn_hits(confidences.float(), members)  # (draws, bins)
    counts = place.bincount(minlength=len(bins)).double()
    expected = place.bincount(confidences, len(bins))
    errors = (hits - expected).abs().sum(1) / len(confidences)
    ends = torch.tensor([0.025, 0.975], dtype=torch.float64)
    limits = (hits / counts.clamp(min=1)).quantile(ends, dim=0)  # (2, bins)
    low, high = errors.quantile(ends).tolist()
    return PerfectCalibration(
        (low, high),
        tuple(
            (float(limits[0, index]), float(limits[1, index])) if bin_.count else None
            for index, bin_ in enumerate(bins)
        ),
    )


def with_bands(
    bins: Sequence[ReliabilityBin], perfect: PerfectCalibration
) -> tuple[ReliabilityBin, ...]:
    """Return the bins with the accuracy that a perfectly calibrated classifier would show there."""
    return tuple(
        replace(bin_, calibrated_low=band and band[0], calibrated_high=band and band[1])
        for bin_, band in zip(bins, perfect.bins, strict=True)
    )


def _drawn_hits(confidences: Tensor, members: Tensor) -> Tensor:
    """How many images of each bin are correct, in each draw: float64 (draws, bins)."""
    count = len(confidences)
    num_draws = min(_NUM_DRAWS, max(_FEWEST_DRAWS, _MOST_DRAWN // count))
    generator = torch.Generator().manual_seed(_SEED)
    at_once, parts = max(1, _DRAWN_AT_ONCE // count), []
    for start in range(0, num_draws, at_once):
        shape = (min(at_once, num_draws - start), count)
        drawn = torch.rand(shape, generator=generator) < confidences
        parts.append((drawn.float() @ members).double())
    return torch.cat(parts)
