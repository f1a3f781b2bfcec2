"""Ensembles: the mean of the class probabilities of several classifiers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn


def log_mean_probability(answers: Iterable[torch.Tensor]) -> torch.Tensor:
    """The logarithm of the mean class probability: ``log(1/n sum_k softmax(logits_k))``.

    The result is logits: their softmax is the mean. It is computed from log-probabilities, so that
    probabilities too small for float32 still differ.

    Args:
        answers: at least one; each logits (batch, classes).

    Returns:
        float32 (batch, classes), at most 0.
    """
    parts = torch.stack([logits.float().log_softmax(1) for logits in answers])
    return parts.logsumexp(0) - math.log(
        len(parts)
    )  # (answers, batch, classes) summed over the 1st


class Ensemble(nn.Module):
    """Classifiers whose class probabilities are averaged.

    Probabilities and not logits, because the scale of logits is each network's own.
    Source: Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using
    Deep Ensembles", 2017, section 2.4. Cost: that of all of them.

    Args:
        classifiers: at least one; each maps the same images to logits of the same classes.
    """

    def __init__(self, classifiers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.classifiers = nn.ModuleList(classifiers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 images (batch, channels, height, width) to logits (batch, classes)."""
        return log_mean_probability(classifier(images) for classifier in self.classifiers)

    def logits_of_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of pixels in 0..255 that need not be whole; see `Classifier`."""
        return log_mean_probability(
            classifier.logits_of_pixels(pixels)  # type: ignore[operator]
            for classifier in self.classifiers
        )


class Reordered(nn.Module):
    """A classifier with its logits in another order of the classes.

    Args:
        classifier: maps images to logits (batch, classes).
        order: for each place in the new order, the class's place in the old one.
    """

    order: torch.Tensor

    def __init__(self, classifier: nn.Module, order: Sequence[int]) -> None:
        super().__init__()
        self.classifier = classifier
        self.register_buffer("order", torch.tensor(order), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 images (batch, channels, height, width) to logits (batch, classes)."""
        logits: torch.Tensor = self.classifier(images)[:, self.order]
        return logits

    def logits_of_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of pixels in 0..255 that need not be whole; see `Classifier`."""
        logits: torch.Tensor = self.classifier.logits_of_pixels(pixels)[:, self.order]  # type: ignore[operator]
        return logits
