"""How good predictions are: accuracy and its interval, per-class scores, ROC, calibration.

Pure functions on tensors. ``labels`` and ``predictions`` are int64 (pictures,), ``logits`` and
``probabilities`` are floating point (pictures, classes). Sums are taken in float64 or int64, so
results do not depend on the number of threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import torch
from torch import Tensor

from tellapart.errors import DataError, ShapeError

NUM_CALIBRATION_BINS = 15


def check_labels(labels: Tensor, num_classes: int, num_images: int) -> None:
    """Refuse labels that are not int64 (num_images,) in 0..num_classes - 1, or none at all.

    Raises:
        ShapeError: where the type or the shape is another.
        DataError: where there is no label, or one outside the classes.
    """
    if labels.dtype != torch.int64 or labels.shape != (num_images,):
        raise ShapeError(
            f"labels must be int64 ({num_images},), one per picture, "
            f"got {labels.dtype} {tuple(labels.shape)}"
        )
    if num_images == 0:
        raise DataError("a metric needs at least one picture, got none; choose a non-empty split")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise DataError(
            f"labels must lie in 0..{num_classes - 1} ({num_classes} classes), got {low}..{high}"
        )


def accuracy(predictions: Tensor, labels: Tensor) -> float:
    """The share of pictures whose predicted class is the true one, in 0..1.

    Raises:
        ShapeError: where the two are not int64 of one length.
        DataError: where there is no picture.
    """
    _check_predictions(predictions, labels)
    return int((predictions == labels).sum()) / len(labels)


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share: where the true accuracy lies, given ``correct`` hits.

    ``(p + z²/2n ± z sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n)`` with ``p = correct / total`` and
    ``z`` the normal quantile of ``confidence``. Unlike ``p ± z sqrt(p(1 - p)/n)`` it stays inside
    0..1 and has a width at ``p = 1``. Source: E. B. Wilson, JASA 22 (1927), 209-212.

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
    # Rounding may leave 1 - 2e-17 at the edges, where the interval is known to end exactly.
    low = 0.0 if correct == 0 else (centre - half_width) / (1 + slack)
    high = 1.0 if correct == total else (centre + half_width) / (1 + slack)
    return low, high


def confusion_matrix(predictions: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """How often each class was taken for each: int64 (classes, classes), rows truth.

    Entry ``[i, j]`` counts the pictures of class ``i`` that were predicted as ``j``.

    Raises:
        ShapeError: where the two are not int64 of one length.
        DataError: where there is no picture, or an index outside the classes.
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

    A ratio with nothing in its denominator is 0, as with scikit-learn's ``zero_division=0``: the
    precision of a class never predicted, the recall of a class with no picture.
    """

    precision: Tensor
    recall: Tensor
    f1: Tensor
    support: Tensor
    seen: Tensor
    """bool (classes,): whether the class occurs in the truth or in the predictions."""

    def macro(self) -> MeanScores:
        """The plain mean over the classes seen; every class counts the same."""
        return self._mean(self.seen.double())

    def weighted(self) -> MeanScores:
        """The mean over classes weighted by support; every picture counts the same."""
        return self._mean(self.support.double())

    def _mean(self, weights: Tensor) -> MeanScores:
        fractions = weights / weights.sum()
        return MeanScores(
            *(float(score @ fractions) for score in (self.precision, self.recall, self.f1))
        )


def precision_recall(confusion: Tensor) -> PrecisionRecall:
    """Per-class scores from a confusion matrix (rows truth, columns prediction).

    ``precision = hits / predicted``, ``recall = hits / support``,
    ``F1 = 2 hits / (support + predicted)``, the harmonic mean of the two.

    Raises:
        ShapeError: where the matrix is not square.
        DataError: where it counts no picture.
    """
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ShapeError(
            f"a confusion matrix must be (classes, classes), got {tuple(confusion.shape)}"
        )
    support, predicted, hits = confusion.sum(1), confusion.sum(0), confusion.diag().double()
    if int(support.sum()) == 0:
        raise DataError("a confusion matrix must count at least one picture, got only zeros")
    # A denominator of 0 has hits of 0: dividing by 1 instead gives the 0 that the rule asks for.
    return PrecisionRecall(
        precision=hits / predicted.clamp(min=1),
        recall=hits / support.clamp(min=1),
        f1=2 * hits / (support + predicted).clamp(min=1),
        support=support,
        seen=(support + predicted) > 0,
    )


@dataclass(frozen=True)
class RocCurve:
    """One class against the rest, at every threshold from strict to lax.

    Args:
        false_positive_rate: float64 (points,), from 0 to 1, never falling.
        true_positive_rate: float64 (points,), from 0 to 1, never falling.
        area: the area under the whole curve, in 0..1; thinning the points does not change it.
    """

    false_positive_rate: Tensor
    true_positive_rate: Tensor
    area: float

    def thinned(self, num_points: int = 200) -> RocCurve:
        """The same curve drawn with at most ``num_points`` (at least 4) of its points.

        Points on a straight stretch go first. Of the corners, half are kept evenly by rank, so
        that detail stays where it is dense, and half evenly along the curve, so that no gap opens.
        """
        if num_points < 4:
            raise DataError(f"a curve needs at least 4 points, got num_points={num_points}")
        across, up = self.false_positive_rate, self.true_positive_rate
        keep = torch.ones(len(across), dtype=torch.bool)
        turn = across.diff()[:-1] * up.diff()[1:] - across.diff()[1:] * up.diff()[:-1]
        keep[1:-1] = turn.abs() > 1e-12
        corners = keep.nonzero().squeeze(1)  # (corners,)
        if len(corners) > num_points:
            half = num_points // 2
            by_rank = torch.linspace(0, len(corners) - 1, half).round().long()
            length = (across + up)[corners]
            by_length = torch.searchsorted(length, torch.linspace(0, 2, half, dtype=torch.float64))
            picked = torch.cat([by_rank, by_length.clamp(max=len(corners) - 1)])
            kept = torch.zeros(len(corners), dtype=torch.bool)
            kept[picked] = True
            corners = corners[kept]
        return replace(self, false_positive_rate=across[corners], true_positive_rate=up[corners])


def roc_curve(scores: Tensor, positives: Tensor) -> RocCurve | None:
    """The receiver operating characteristic of one class against the rest.

    Pictures with equal scores share one point, so a tie counts half, as it must.

    Args:
        scores: (pictures,), higher for pictures more likely to be of the class.
        positives: bool (pictures,), which of them are.

    Returns:
        The curve; None where all pictures are of the class or none is, and no curve exists.

    Raises:
        ShapeError: where the two are not of these types and one length.

    Cost: one sort of the scores.
    """
    if positives.dtype != torch.bool or positives.ndim != 1 or scores.shape != positives.shape:
        raise ShapeError(
            "scores and positives must be (pictures,), positives bool, "
            f"got {tuple(scores.shape)} and {positives.dtype} {tuple(positives.shape)}"
        )
    num_positives = int(positives.sum())
    num_negatives = len(positives) - num_positives
    if num_positives == 0 or num_negatives == 0:
        return None
    ordered, order = scores.sort(descending=True)
    hits = positives[order].cumsum(0)
    last_of_tie = torch.ones_like(positives)
    last_of_tie[:-1] = ordered[1:] != ordered[:-1]
    ends = last_of_tie.nonzero().squeeze(1)
    true_positives = torch.cat([hits.new_zeros(1), hits[ends]])  # (points,)
    false_positives = torch.cat([hits.new_zeros(1), ends + 1 - hits[ends]])  # (points,)
    # Twice the trapezoids' area in whole numbers: exact, whatever the order of summation.
    twice = false_positives.diff() * (true_positives[1:] + true_positives[:-1])
    return RocCurve(
        false_positive_rate=false_positives.double() / num_negatives,
        true_positive_rate=true_positives.double() / num_positives,
        area=int(twice.sum()) / (2 * num_positives * num_negatives),
    )


def roc_auc(scores: Tensor, positives: Tensor) -> float | None:
    """The area under `roc_curve`: how often a picture of the class outscores one that is not.

    Returns:
        The area in 0..1, a tie counting half; None where no curve exists.

    Raises:
        ShapeError: as `roc_curve`.
    """
    curve = roc_curve(scores, positives)
    return None if curve is None else curve.area


def macro_mean(values: list[float | None]) -> float | None:
    """The plain mean of the values that are defined; None where none is."""
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(defined) if defined else None


def cross_entropy(logits: Tensor, labels: Tensor) -> float:
    """The mean of ``log(sum_j exp(logits_j)) - logits_label``, in nats per picture.

    Raises:
        ShapeError: where logits are not floating point (pictures, classes), or labels do not fit.
        DataError: where there is no picture, or a label outside the classes.
    """
    _check_scores(logits, labels, "logits")
    logits = logits.double()
    picked = logits.gather(1, labels[:, None]).squeeze(1)
    return float((logits.logsumexp(1) - picked).mean())


@dataclass(frozen=True)
class ReliabilityBin:
    """The pictures whose confidence lies in (low, high].

    ``confidence`` and ``accuracy`` are the means over these pictures, None where there is none.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability_bins(
    probabilities: Tensor, labels: Tensor, num_bins: int = NUM_CALIBRATION_BINS
) -> tuple[ReliabilityBin, ...]:
    """Confidence (the highest probability) against accuracy, in bins of equal width.

    Raises:
        ShapeError: where probabilities are not floating point (pictures, classes), or labels do
            not fit.
        DataError: where there is no picture, a label outside the classes, or no bin.
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
    """How far confidence and accuracy lie apart, on average over pictures, in 0..1.

    ``sum_b count_b / n * |accuracy_b - confidence_b|``. Source: Naeini, Cooper and Hauskrecht,
    AAAI 2015; with 15 bins as in Guo et al., ICML 2017.

    Raises:
        DataError: where the bins hold no picture.
    """
    total = sum(bin_.count for bin_ in bins)
    if total == 0:
        raise DataError("a calibration error needs at least one picture, got empty bins")
    return math.fsum(
        bin_.count / total * abs(bin_.accuracy - bin_.confidence)
        for bin_ in bins
        if bin_.accuracy is not None and bin_.confidence is not None
    )


def _check_predictions(predictions: Tensor, labels: Tensor) -> None:
    for name, indices in (("predictions", predictions), ("labels", labels)):
        if indices.dtype != torch.int64 or indices.ndim != 1:
            raise ShapeError(
                f"{name} must be int64 (pictures,), got {indices.dtype} {tuple(indices.shape)}; "
                "from logits take logits.argmax(1)"
            )
    if len(predictions) != len(labels):
        raise ShapeError(
            "predictions and labels must be one per picture, "
            f"got {len(predictions)} predictions and {len(labels)} labels"
        )
    if len(labels) == 0:
        raise DataError("a metric needs at least one picture, got none; choose a non-empty split")


def _check_scores(scores: Tensor, labels: Tensor, name: str) -> None:
    if scores.ndim != 2 or not scores.is_floating_point():
        raise ShapeError(
            f"{name} must be floating point (pictures, classes), "
            f"got {scores.dtype} {tuple(scores.shape)}"
        )
    check_labels(labels, scores.shape[1], len(scores))
