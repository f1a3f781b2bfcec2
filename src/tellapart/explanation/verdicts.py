"""Whether a heat map is worth looking at: differences with their intervals, and the rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from torch import Tensor

FOLLOWS = "follows the network"
CHANCE = "no better than chance"
WEIGHTS = "does not depend on the network's weights"
UNLEARNED = "no better than with random weights"
EDGES = "no better than an edge detector"

RANDOM, RANDOM_WEIGHTS, EDGE_DETECTOR = "random", "random_weights", "edge_detector"
#: What a map is compared with, and the verdict on a map that is not better.
RULES: Mapping[str, str] = {RANDOM: CHANCE, RANDOM_WEIGHTS: UNLEARNED, EDGE_DETECTOR: EDGES}


@dataclass(frozen=True)
class Interval:
    """A mean over images with its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.low > 0

    def to_json(self) -> dict[str, float]:
        """Return the three numbers by name."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def mean_with_interval(values: Tensor, confidence: float = 0.95) -> Interval:
    """Return the mean of at least two values with Student's t interval.

    The quantile of t is that of the normal distribution with two terms of its Cornish-Fisher
    expansion, right to 0.1 % from 10 values on (Abramowitz and Stegun, 26.7.5).

    Args:
        values: (images,).
        confidence: between 0 and 1.
    """
    number, degrees = len(values), len(values) - 1
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    quantile = z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    mean = float(values.double().mean())
    half_width = quantile * float(values.double().std()) / math.sqrt(number)
    return Interval(mean, mean - half_width, mean + half_width)


@dataclass(frozen=True)
class Comparison:
    """A map minus another on the same images.

    Args:
        insertion: of the areas under the insertion curves; above 0 is better.
        deletion: of the areas under the deletion curves; below 0 is better.
        score: of insertion minus deletion; above 0 is better.
    """

    insertion: Interval
    deletion: Interval
    score: Interval

    def to_json(self) -> dict[str, Any]:
        """Return the three intervals by name."""
        return {
            "insertion": self.insertion.to_json(),
            "deletion": self.deletion.to_json(),
            "score": self.score.to_json(),
        }


#: From this rank correlation on, maps for random weights are the same as those of the network.
SAME = 0.9


def failed_rules(against: Mapping[str, Comparison], similarity: Interval) -> tuple[str, ...]:
    """Return what is wrong with a map, the gravest first; nothing if it follows the network.

    A map is better than another if the whole interval of its score minus the other's is above 0:
    for a difference that chance explains, a map gets no credit.

    Args:
        against: the map compared with each of `RULES`.
        similarity: the rank correlation with the map of the same method for random weights.
    """
    stays = (WEIGHTS,) if similarity.low > SAME else ()
    not_better = tuple(
        verdict for name, verdict in RULES.items() if not against[name].score.is_above_zero
    )
    return stays + not_better
