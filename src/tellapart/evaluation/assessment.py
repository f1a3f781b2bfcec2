"""An evaluation with all that a page about it shows, from one pass over the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tellapart.data.image_set import ImageSet
from tellapart.evaluation.evaluation import Evaluation, evaluate_logits
from tellapart.evaluation.mistakes import Mistake, most_confident_mistakes
from tellapart.evaluation.predicting import predict_logits
from tellapart.evaluation.rejection import RejectionCurve, rejection_curve_of
from tellapart.evaluation.roc import RocCurve, roc_curves
from tellapart.evaluation.verdict import verdict
from tellapart.models.classifier import Classifier
from tellapart.models.decision import decide

_NUM_MISTAKES_SHOWN = 24


@dataclass(frozen=True)
class Assessment:
    """What a classifier is worth on one image set.

    Args:
        evaluation: the figures.
        roc: a curve per class, None where a class has none.
        mistakes: the most confident ones, each with its image, uint8 (channels, height, width).
        rejection: accuracy by the fraction of the images that is answered.
        without_threshold: the figures if the most probable class were answered; None if it is.
    """

    evaluation: Evaluation
    roc: tuple[RocCurve | None, ...]
    mistakes: tuple[tuple[Mistake, Tensor], ...]
    rejection: RejectionCurve
    without_threshold: Evaluation | None = None

    @property
    def verdict(self) -> str | None:
        """What is wrong with the classifier as a whole; None where it is of use."""
        return verdict(self.evaluation)


def assess(classifier: nn.Module, image_set: ImageSet, device: torch.device) -> Assessment:
    """Evaluates a classifier, in the precision of its weights, on an image set.

    Args:
        classifier: uint8 images (batch, channels, height, width) to logits (batch, classes); on
            ``device``.
        image_set: the images and their labels.
        device: where the classifier is.

    Raises:
        ShapeError: images of another shape than the classifier takes.
        DataError: an image set without images.
        DivergedError: logits that are not finite.
    """
    logits = predict_logits(classifier, image_set.images, device=device)
    # Of several classifiers the mean is evaluated, which has no threshold and no temperature.
    spec = classifier.spec if isinstance(classifier, Classifier) else None
    if spec is None:
        return assess_logits(logits, image_set, {})
    return assess_logits(logits, image_set, spec.thresholds, spec.temperature)


def assess_logits(
    logits: Tensor,
    image_set: ImageSet,
    thresholds: Mapping[str, float],
    temperature: float | None = None,
) -> Assessment:
    """Evaluates logits that are computed already.

    Args:
        logits: floating point (images, classes), on the CPU.
        image_set: the images and their labels.
        thresholds: the probability from which on a class is answered, of at most one class.
        temperature: the one by which the logits were divided; None by none.

    Raises:
        ShapeError, DataError, DivergedError: as `evaluate_logits`.
    """
    labels, names = image_set.labels, image_set.class_names
    answers = decide(logits, names, thresholds)
    mistakes = most_confident_mistakes(logits, labels, _NUM_MISTAKES_SHOWN, answers)
    return Assessment(
        evaluate_logits(logits, labels, names, thresholds, temperature),
        roc_curves(logits, labels),
        tuple((mistake, image_set.images[mistake.index]) for mistake in mistakes),
        rejection_curve_of(logits, labels, answers),
        evaluate_logits(logits, labels, names, {}, temperature) if thresholds else None,
    )
