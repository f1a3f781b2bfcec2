"""The reject option: how accuracy rises as the least certain images are left unanswered."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_NUM_POINTS = 200


@dataclass(frozen=True)
class RejectionCurve:
    """Accuracy on the most confident images, by the fraction that is answered.

    Args:
        answered: float64 (points,), the fraction of the images that is answered, rising to 1.
        accuracy: float64 (points,), the fraction of these that is correct.
        confidence: float64 (points,), from which confidence on so many are answered.
        area: the mean error rate over all fractions (the area under the risk-coverage curve), in
            0..1; 0 is best. It depends on the order of the confidences only.
    """

    answered: Tensor
    accuracy: Tensor
    confidence: Tensor
    area: float


def rejection_curve(confidence: Tensor, correct: Tensor) -> RejectionCurve:
    """Return accuracy against the fraction answered; images of equal confidence in random order.

    Source: El-Yaniv and Wiener, "On the Foundations of Noise-free Selective Classification", 2010;
    Geifman, Uziel and El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers",
    2019, section 2, for the area.

    Args:
        confidence: floating point (images,), at least one.
        correct: bool (images,).
    """
    ordered, order = confidence.double().sort(descending=True, stable=True)
    hits = correct[order].double()
    begins = torch.ones_like(ordered, dtype=torch.bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    block = begins.cumsum(0) - 1
    counts = block.bincount()
    # Within a block of equal confidence every order is as likely: each image is as correct as the
    # block is on average.
    expected = (hits.new_zeros(len(counts)).index_add_(0, block, hits) / counts)[block]
    number = torch.arange(1, len(ordered) + 1, dtype=torch.float64)
    accuracy = expected.cumsum(0) / number
    ends = counts.cumsum(0) - 1  # a fraction can be chosen only where a block ends
    if len(ends) > _NUM_POINTS:
        ends = ends[torch.linspace(0, len(ends) - 1, _NUM_POINTS).round().long()]
    fraction = number[ends] / len(ordered)
    return RejectionCurve(fraction, accuracy[ends], ordered[ends], float((1 - accuracy).mean()))


def rejection_curve_of(logits: Tensor, labels: Tensor, answers: Tensor) -> RejectionCurve:
    """Return the curve of a classifier, whose confidence is the probability of what it answers.

    Args:
        logits: floating point (images, classes).
        labels: int64 (images,).
        answers: int64 (images,).
    """
    probabilities = logits.double().cpu().softmax(1)
    confidence = probabilities.gather(1, answers.cpu()[:, None]).squeeze(1)
    return rejection_curve(confidence, answers.cpu() == labels.cpu())
