"""How well a score separates images of another kind from a classifier's own, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tellapart.errors import DataError
from tellapart.evaluation.metrics import wilson_interval
from tellapart.evaluation.roc import roc_auc

RECALL = 0.95
"""The fraction of inside images that the false positive rate is given at."""

_NUM_RESAMPLES = 2000
_SEED = 0


@dataclass(frozen=True)
class Separation:
    """How well one score separates outside images from inside images.

    Args:
        auroc: the probability that a random outside image has the higher score than a random inside
            image, a tie counting one half: 0.5 is chance, 1 is perfect.
        auroc_interval: its 95 % interval.
        false_positive_rate: the fraction of outside images that would pass as inside, at the
            threshold that 95 % of the inside images do not exceed.
        false_positive_rate_interval: its 95 % interval.
    """

    auroc: float
    auroc_interval: tuple[float, float]
    false_positive_rate: float
    false_positive_rate_interval: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers and lists."""
        return {
            "auroc": self.auroc,
            "auroc_interval": list(self.auroc_interval),
            "fpr_at_95_recall": self.false_positive_rate,
            "fpr_at_95_recall_interval": list(self.false_positive_rate_interval),
        }


def measure_separation(inside: Tensor, outside: Tensor) -> Separation:
    """Measure how well scores separate outside images, which should have the higher ones.

    Args:
        inside: the scores of images of the kind that was trained on, (images,).
        outside: the scores of others, (images,).

    Raises:
        DataError: no image on one of the sides.
    """
    if not len(inside) or not len(outside):
        raise DataError(
            "separating images needs at least one inside and one outside, got "
            f"{len(inside)} and {len(outside)}"
        )
    inside, outside = inside.double(), outside.double()
    is_outside = torch.cat([torch.zeros(len(inside)), torch.ones(len(outside))]).bool()
    area = roc_auc(torch.cat([inside, outside]), is_outside)
    assert area is not None
    passing, passing_interval = _false_positive_rate(inside, outside)
    return Separation(area, _auroc_interval(inside, outside, area), passing, passing_interval)


def _auroc_interval(inside: Tensor, outside: Tensor, area: float) -> tuple[float, float]:
    """DeLong's 95 % interval of the area, on the scale of ``log(area / (1 - area))``.

    Source: E. DeLong, D. DeLong and D. Clarke-Pearson, Biometrics 44 (1988), 837-845; the scale
    keeps it inside 0..1. Where all pairs are in order, or none is, its variance is 0: then the
    interval is Wilson's for as many trials as there are images on the smaller side.
    """
    if area in (0.0, 1.0) or min(len(inside), len(outside)) < 2:
        trials = min(len(inside), len(outside))
        low, high = wilson_interval(round(area * trials), trials)
        return min(low, area), max(high, area)
    variance = float(
        _placements(outside, inside).var() / len(outside)
        + _placements(inside, outside).var() / len(inside)
    )
    centre = math.log(area / (1 - area))
    half = NormalDist().inv_cdf(0.975) * math.sqrt(variance) / (area * (1 - area))
    return _logistic(centre - half), _logistic(centre + half)


def _placements(scores: Tensor, others: Tensor) -> Tensor:
    """For each score the fraction of the others below it, ties counting one half."""
    ordered = others.sort().values
    below = torch.searchsorted(ordered, scores, side="left")
    not_above = torch.searchsorted(ordered, scores, side="right")
    return (below + not_above).double() / (2 * len(others))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def _false_positive_rate(inside: Tensor, outside: Tensor) -> tuple[float, tuple[float, float]]:
    """The fraction of outside images at or below the threshold, and its bootstrap interval.

    The percentile bootstrap, both sides resampled (B. Efron and R. Tibshirani, "An Introduction to
    the Bootstrap", 1993, chapter 13). Resampling is drawn directly: the k-th of n resampled ranks
    is ``floor(n u)`` with ``u`` from Beta(k, n - k + 1), and the images below a fixed threshold in
    a resample are binomial. At 0 and at 1 a resample never differs; there the interval is Wilson's.
    """
    ordered, num_outside = inside.sort().values, len(outside)
    rank = max(1, math.ceil(RECALL * len(ordered) - 1e-9))  # the smallest that keeps 95 %
    passing = torch.searchsorted(outside.sort().values, ordered, side="right").numpy()
    observed = int(passing[rank - 1])
    drawn = np.random.default_rng(_SEED)
    uniform = drawn.beta(rank, len(ordered) - rank + 1, _NUM_RESAMPLES)
    places = np.minimum((uniform * len(ordered)).astype(np.int64), len(ordered) - 1)
    rates = drawn.binomial(num_outside, passing[places] / num_outside) / num_outside
    low, high = (float(end) for end in np.quantile(rates, (0.025, 0.975)))
    if observed in (0, num_outside):
        wilson = wilson_interval(observed, num_outside)
        low, high = min(low, wilson[0]), max(high, wilson[1])
    return observed / num_outside, (low, high)
