"""Which images are classified incorrectly, and which classes are confused with which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from tellapart.evaluation.evaluation import Evaluation
from tellapart.evaluation.metrics import checked_logits


@dataclass(frozen=True)
class Mistake:
    """An image that was classified incorrectly.

    ``index`` is its position in the image set, ``label`` the index of its true class,
    ``prediction`` that of the predicted class, and ``probability`` the probability in 0..1 that
    the classifier gave to the predicted class.
    """

    index: int
    label: int
    prediction: int
    probability: float


def most_confident_mistakes(
    logits: Tensor, labels: Tensor, count: int, predictions: Tensor | None = None
) -> list[Mistake]:
    """Return the ``count`` incorrect predictions of highest probability, the highest first.

    Often the label is wrong and not the prediction: these images are the quickest check of labels.

    Args:
        logits: floating point (images, classes).
        labels: int64 (images,).
        count: the largest number of mistakes.
        predictions: int64 (images,), the answered classes; None is the most probable ones.

    Raises:
        ShapeError, DataError, DivergedError: as `evaluate_logits`.
    """
    logits, labels = checked_logits(logits, labels)
    if predictions is None:
        predictions = logits.argmax(1)
    probabilities = logits.softmax(1).gather(1, predictions[:, None]).squeeze(1)
    wrong = (predictions != labels).nonzero().squeeze(1)
    # Stable, so that equal probabilities keep the order of the images.
    order = probabilities[wrong].sort(descending=True, stable=True).indices[: max(count, 0)]
    return [
        Mistake(index, int(labels[index]), int(predictions[index]), float(probabilities[index]))
        for index in wrong[order].tolist()
    ]


class ConfusedPair(NamedTuple):
    """The number of images of class ``label`` that were classified as ``prediction``."""

    label: int
    prediction: int
    num_images: int


def most_confused(evaluation: Evaluation, count: int) -> list[ConfusedPair]:
    """Return the ``count`` most frequent confusions, in falling order; ties in class order."""
    pairs = [
        ConfusedPair(label, prediction, num_images)
        for label, row in enumerate(evaluation.confusion_matrix)
        for prediction, num_images in enumerate(row)
        if num_images and label != prediction
    ]
    return sorted(pairs, key=lambda pair: -pair.num_images)[: max(count, 0)]
