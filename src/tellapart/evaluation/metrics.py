"""The formulas behind an evaluation: intervals, confusion matrix, scores per class, calibration.

Pure functions of tensors. ``labels`` and ``predictions`` are int64 (images,), ``logits`` and
``probabilities`` are floating point (images, classes). Sums are in float64 or int64, so that the
number of threads does not change a result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

from tellapart.errors import DataError, DivergedError, ShapeError

NUM_CALIBRATION_BINS = 15


def check_labels(labels: Tensor, num_classes: int, num_images: int) -> None:
    """Check that labels are int64 (num_images,) in 0..num_classes - 1, and at least one.

    Raises:
        ShapeError: where the shape or the type is wrong.
        DataError: where there is no label, or a label outside the classes.
    """
    if labels.dtype != torch.int64 or labels.shape != (num_images,):
        raise ShapeError(
            f"labels must be int64 ({num_images},), one per image, "
            f"got {labels.dtype} {tuple(labels.shape)}"
        )
    if num_images == 0:
        raise DataError("a metric needs at least one image, got none; choose a non-empty split")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise DataError(
            f"labels must lie in 0..{num_classes - 1} ({num_classes} classes), got {low}..{high}"
        )


def checked_logits(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Check logits and labels, and return both on the CPU, the logits in float64.

    In float32 the probabilities of confident predictions all round to 1, and ranking them would
    find nothing but ties.

    Raises:
        ShapeError: where a shape or a type is wrong.
        DataError: where there is no image, or a label outside the classes.
        DivergedError: where a logit is not finite.
    """
    if logits.ndim != 2 or not logits.is_floating_point():
        raise ShapeError(
            "logits must be floating point (images, classes), "
            f"got {logits.dtype} {tuple(logits.shape)}"
        )
    logits, labels = logits.detach().cpu().double(), labels.cpu()
    check_labels(labels, logits.shape[1], len(logits))
    num_bad = int((~logits.isfinite()).any(1).sum())
    if num_bad:
        raise DivergedError(
            f"logits must be finite, got NaN or infinity for {num_bad} of {len(logits)} images; "
            "the weights have diverged: train again with a lower learning rate"
        )
    return logits, labels


def wilson_interval(correct: float, total: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of the fraction ``correct / total``.

    ``(p + z²/2n ± z sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n)`` with ``p = correct / total`` and
    ``z`` the normal quantile of ``confidence``. Unlike ``p ± z sqrt(p(1 - p)/n)`` it stays inside
    0..1, and its width is not 0 at ``p = 1``. Source: E. B. Wilson, JASA 22 (1927), 209-212. Counts
    are whole numbers, except for an effective number of images.

    Raises:
        DataError: where not ``0 <= correct <= total`` with ``total > 0``, or not
            ``0 < confidence < 1``.
    """
    if total < 1 or not 0 <= correct <= total:
        raise DataError(
            f"an interval needs 0 <= correct <= total and total > 0, got {correct} of {total}"
        )
    if not 0 < confidence < 1:
        raise DataError(f"confidence must lie between 0 and 1, got {confidence}; 0.95 is usual")
    quantile = NormalDist().inv_cdf((1 + confidence) / 2)
    fraction = correct / total
    slack = quantile**2 / total
    centre = fraction + slack / 2
    half_width = quantile * math.sqrt(fraction * (1 - fraction) / total + slack / (4 * total))
    # At 0 and at total an end of the interval is exactly 0 or 1; rounding could miss it by 2e-17.
    low = 0.0 if correct == 0 else (centre - half_width) / (1 + slack)
    high = 1.0 if correct == total else (centre + half_width) / (1 + slack)
    return low, high


def confusion_matrix(predictions: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Count how often each class was predicted as each: int64 (classes, classes).

    Entry ``[i, j]`` is the number of images of class ``i`` that were classified as class ``j``.

    Raises:
        ShapeError: where predictions and labels are not int64 of the same length.
        DataError: where there is no image, or an index outside the classes.
    """
    _check_predictions(predictions, labels)
    check_labels(labels, num_classes, len(labels))
    check_labels(predictions, num_classes, len(labels))
    cells = torch.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return cells.view(num_classes, num_classes)


@dataclass(frozen=True)
class MeanScores:
    """Precision, recall and F1 over all classes, each in 0..1."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision, recall, F1 (float64) and support (int64) per class, each (classes,).

    Where a denominator is 0 the score is 0, as with scikit-learn's ``zero_division=0``: the
    precision of a class that is never predicted, the recall of a class without images.
    """

    precision: Tensor
    recall: Tensor
    f1: Tensor
    support: Tensor
    occurs: Tensor
    """bool (classes,): whether the class occurs among the labels or the predictions."""

    def macro(self) -> MeanScores:
        """Return the plain mean over the classes that occur; every class counts the same."""
        return self._mean(self.occurs.double())

    def weighted(self) -> MeanScores:
        """Return the mean over classes, weighted by support; every image counts the same."""
        return self._mean(self.support.double())

    def _mean(self, weights: Tensor) -> MeanScores:
        fractions = weights / weights.sum()
        return MeanScores(
            *(float(score @ fractions) for score in (self.precision, self.recall, self.f1))
        )


def precision_recall(confusion: Tensor) -> PrecisionRecall:
    """Compute the scores per class from a confusion matrix (a row for each true class).

    ``precision = hits / predicted``, ``recall = hits / support``,
    ``F1 = 2 hits / (support + predicted)``, the harmonic mean of the two.

    Raises:
        ShapeError: where the matrix is not square.
        DataError: where all its entries are 0.
    """
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ShapeError(
            f"a confusion matrix must be (classes, classes), got {tuple(confusion.shape)}"
        )
    support, predicted, hits = confusion.sum(1), confusion.sum(0), confusion.diag().double()
    if int(support.sum()) == 0:
        raise DataError("a confusion matrix must count at least one image, got only zeros")
    # Where a denominator is 0, hits is 0 as well: dividing by 1 instead gives the score of 0.
    return PrecisionRecall(
        precision=hits / predicted.clamp(min=1),
        recall=hits / support.clamp(min=1),
        f1=2 * hits / (support + predicted).clamp(min=1),
        support=support,
        occurs=(support + predicted) > 0,
    )


def balanced_accuracy(
    confusion: Tensor, confidence: float = 0.95
) -> tuple[float, tuple[float, float]]:
    """Return the mean recall over the classes that have images, and its confidence interval.

    Every class counts the same, so always answering one of two classes gives 1/2. Each recall
    ``p_i`` of the ``k`` classes has its Wilson interval ``(l_i, u_i)``; as the recalls are
    independent, the interval of their mean is
    ``mean(p) - sqrt(sum (p_i - l_i)²) / k`` to ``mean(p) + sqrt(sum (u_i - p_i)²) / k``, which
    stays inside 0..1 and for one class is Wilson's. Source: G. Y. Zou, W. Huang and X. Zhang, "A
    note on confidence interval estimation for a linear function of binomial proportions",
    Computational Statistics & Data Analysis 53 (2009), 1080-1085.

    Raises:
        ShapeError: where the matrix is not square.
        DataError: where all its entries are 0, or not ``0 < confidence < 1``.
    """
    scores = precision_recall(confusion)
    present = scores.support > 0
    recalls = scores.recall[present].tolist()
    hits, supports = confusion.diag()[present].tolist(), scores.support[present].tolist()
    intervals = [
        wilson_interval(hit, support, confidence)
        for hit, support in zip(hits, supports, strict=True)
    ]
    mean = math.fsum(recalls) / len(recalls)
    below = math.hypot(*(p - low for p, (low, _) in zip(recalls, intervals, strict=True)))
    above = math.hypot(*(high - p for p, (_, high) in zip(recalls, intervals, strict=True)))
    # Rounding could carry an end past 0 or 1 by 2e-17.
    low, high = mean - below / len(recalls), mean + above / len(recalls)
    return mean, (max(low, 0.0), min(high, 1.0))


def macro_mean(values: list[float | None]) -> float | None:
    """Return the plain mean of the values that are not None; None where all are."""
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(defined) if defined else None


def cross_entropy(logits: Tensor, labels: Tensor) -> float:
    """Return the mean of ``log(sum_j exp(logits_j)) - logits_label``, in nats per image.

    Raises:
        ShapeError: where logits are not floating point (images, classes), or labels do not fit.
        DataError: where there is no image, or a label outside the classes.
    """
    _check_scores(logits, labels, "logits")
    logits = logits.double()
    picked = logits.gather(1, labels[:, None]).squeeze(1)
    return float((logits.logsumexp(1) - picked).mean())


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose confidence lies in (low, high].

    ``confidence`` and ``accuracy`` are the means over these images; None where there are none.
    ``calibrated_low`` to ``calibrated_high`` is the accuracy that a perfectly calibrated classifier
    would show here with 95 % chance; None where it was not computed.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None
    calibrated_low: float | None = None
    calibrated_high: float | None = None


def reliability_bins(
    probabilities: Tensor, labels: Tensor, num_bins: int = NUM_CALIBRATION_BINS
) -> tuple[ReliabilityBin, ...]:
    """Compare confidence (the highest probability) with accuracy, in bins of equal width.

    Raises:
        ShapeError: where probabilities are not floating point (images, classes), or labels do
            not fit.
        DataError: where there is no image, a label outside the classes, or no bin.
    """
    _check_scores(probabilities, labels, "probabilities")
    if num_bins < 1:
        raise DataError(f"num_bins must be at least 1, got {num_bins}; 15 is usual")
    confidences, predictions = probabilities.double().max(1)
    edges = torch.linspace(0, 1, num_bins + 1, dtype=torch.float64)
    bins = torch.bucketize(confidences, edges[1:-1].to(confidences.device))
    counts = bins.bincount(minlength=num_bins).tolist()
    confidence_sums = bins.bincount(confidences, num_bins).tolist()
    hits = bins.bincount((predictions == labels).double(), num_bins).tolist()
    return tuple(
        ReliabilityBin(
            low=float(edges[index]),
            high=float(edges[index + 1]),
            count=count,
            confidence=confidence_sums[index] / count if count else None,
            accuracy=hits[index] / count if count else None,
        )
        for index, count in enumerate(counts)
    )


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Return the mean distance in 0..1 between confidence and accuracy, weighted by bin counts.

    ``sum_b count_b / n * |accuracy_b - confidence_b|``. Source: Naeini, Cooper and Hauskrecht,
    AAAI 2015; with 15 bins as in Guo et al., ICML 2017.

    Raises:
        DataError: where the bins hold no image.
    """
    total = sum(bin_.count for bin_ in bins)
    if total == 0:
        raise DataError("a calibration error needs at least one image, got empty bins")
    return math.fsum(
        bin_.count / total * abs(bin_.accuracy - bin_.confidence)
        for bin_ in bins
        if bin_.accuracy is not None and bin_.confidence is not None
    )


def _check_predictions(predictions: Tensor, labels: Tensor) -> None:
    for name, indices in (("predictions", predictions), ("labels", labels)):
        if indices.dtype != torch.int64 or indices.ndim != 1:
            raise ShapeError(
                f"{name} must be int64 (images,), got {indices.dtype} {tuple(indices.shape)}; "
                "from logits take logits.argmax(1)"
            )
    if len(predictions) != len(labels):
        raise ShapeError(
            "predictions and labels must have one entry per image, "
            f"got {len(predictions)} predictions and {len(labels)} labels"
        )
    if len(labels) == 0:
        raise DataError("a metric needs at least one image, got none; choose a non-empty split")


def _check_scores(scores: Tensor, labels: Tensor, name: str) -> None:
    if scores.ndim != 2 or not scores.is_floating_point():
        raise ShapeError(
            f"{name} must be floating point (images, classes), "
            f"got {scores.dtype} {tuple(scores.shape)}"
        )
    check_labels(labels, scores.shape[1], len(scores))
