"""The choice of a decision threshold: the probability from which on a class is answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tellapart.errors import DataError
from tellapart.evaluation import metrics
from tellapart.evaluation.metrics import wilson_interval

_SIGNIFICANT_DIGITS = 6
# Measured between batches of 1 and of 1,000 images: up to 3e-6 of a probability.
_SLACK = 1e-5


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold, and the recall that it reaches on the images on which it was chosen.

    Args:
        class_name: the class that is answered from ``probability`` on.
        probability: the threshold, between 0 and 1.
        wanted_recall: the fraction of the images of the class that was to be found, at least.
        num_images: the images of the class on which it was chosen.
        num_found: how many of them have at least that probability.
    """

    class_name: str
    probability: float
    wanted_recall: float
    num_images: int
    num_found: int

    @property
    def recall(self) -> float:
        """The fraction of these images that is found."""
        return self.num_found / self.num_images

    @property
    def recall_interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the recall."""
        return wilson_interval(self.num_found, self.num_images)

    def to_json(self) -> dict[str, Any]:
        """Return plain text and numbers; ``validation`` holds the images it was chosen on."""
        return {
            "class": self.class_name,
            "probability": self.probability,
            "wanted_recall": self.wanted_recall,
            "validation": {
                "num_images": self.num_images,
                "num_found": self.num_found,
                "recall": self.recall,
                "recall_interval": list(self.recall_interval),
            },
        }


def choose_threshold(
    logits: Tensor, labels: Tensor, class_names: Sequence[str], class_name: str, recall: float
) -> ChosenThreshold:
    """Return the highest threshold with which at least ``recall`` of a class is answered so.

    Of ``n`` images of the class it is the ``k``-th highest probability of the class, with the
    smallest ``k`` for which ``k / n >= recall``. That is lowered by a hundred-thousandth (of
    ``1 - p`` above one half) and rounded down to six significant digits, because the last bits of
    logits differ between batches of different size, and the ``k``-th image should still be found.

    Args:
        logits: floating point (images, classes).
        labels: int64 (images,).
        class_names: one per column of ``logits``.
        class_name: one of them.
        recall: the wanted fraction, between 0 and 1.

    Raises:
        ShapeError, DataError, DivergedError: as `evaluate_logits`.
        DataError: no image of the class, or no threshold above 0 with such a recall.
    """
    logits, labels = metrics.checked_logits(logits, labels)
    label = class_names.index(class_name)
    probabilities = logits.softmax(1)[labels == label, label].sort(descending=True).values.tolist()
    total = len(probabilities)
    if not total:
        raise DataError(
            f"a threshold for {class_name!r} is chosen on images of that class, and there is none"
        )
    wanted = next(count for count in range(1, total + 1) if count / total >= recall)
    threshold = _rounded_down(probabilities[wanted - 1])
    if threshold <= 0:
        raise DataError(
            f"no threshold finds {recall:g} of {class_name!r}: too many of its {total} images have "
            "a probability of 0; choose a lower recall"
        )
    num_found = sum(probability >= threshold for probability in probabilities)
    return ChosenThreshold(class_name, threshold, recall, total, num_found)


def _rounded_down(probability: float) -> float:
    """A probability just below, below 1 and with six significant digits; 0 stays 0."""
    if probability > 0.5:
        rest = (1 - probability) * (1 + _SLACK)
        scale = _scale(rest)
        return min(1 - math.ceil(rest * scale) / scale, math.nextafter(1, 0))
    lowered = probability * (1 - _SLACK)
    scale = _scale(lowered)
    return math.floor(lowered * scale) / scale


def _scale(value: float) -> float:
    """The power of ten that moves the significant digits before the point; at most 1e300."""
    exponent = math.floor(math.log10(value)) if value else 0
    return 10.0 ** min(_SIGNIFICANT_DIGITS - 1 - exponent, 300)
