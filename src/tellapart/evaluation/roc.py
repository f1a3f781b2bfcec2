"""ROC curves: how well the scores of one class separate it from all others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tellapart.errors import DataError, ShapeError
from tellapart.evaluation.metrics import checked_logits


@dataclass(frozen=True)
class RocCurve:
    """The ROC curve of one class against all others, at every threshold from high to low.

    Args:
        false_positive_rate: float64 (points,), rising from 0 to 1.
        true_positive_rate: float64 (points,), rising from 0 to 1.
        area: the area under the whole curve, in 0..1; thinning the points does not change it.
    """

    false_positive_rate: Tensor
    true_positive_rate: Tensor
    area: float

    def thinned(self, num_points: int = 200) -> RocCurve:
        """Return the curve with at most ``num_points`` (at least 4) of its points, for drawing.

        Points on a straight line between their neighbours are dropped first. Of the corners that
        are left, half are chosen evenly by rank, which keeps detail where the points are dense,
        and half evenly along the curve, which leaves no gap.
        """
        if num_points < 4:
            raise DataError(f"a curve needs at least 4 points, got num_points={num_points}")
        across, up = self.false_positive_rate, self.true_positive_rate
        keep = torch.ones(len(across), dtype=torch.bool)
        bend = across.diff()[:-1] * up.diff()[1:] - across.diff()[1:] * up.diff()[:-1]
        keep[1:-1] = bend.abs() > 1e-12
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
    """Return the receiver operating characteristic of one class against all others.

    Images with equal scores share one point of the curve, so a tie counts one half in the area.

    Args:
        scores: (images,), higher for images more likely to be of the class.
        positives: bool (images,), which of them are.

    Returns:
        The curve; None where all images are of the class or none is: it is not defined there.

    Raises:
        ShapeError: where a shape or a type is wrong, or the lengths differ.

    Cost: one sort of the scores.
    """
    if positives.dtype != torch.bool or positives.ndim != 1 or scores.shape != positives.shape:
        raise ShapeError(
            "scores and positives must be (images,), positives bool, "
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
    # Twice the area of the trapezoids, in whole numbers: exact in any order of summation.
    twice = false_positives.diff() * (true_positives[1:] + true_positives[:-1])
    return RocCurve(
        false_positive_rate=false_positives.double() / num_negatives,
        true_positive_rate=true_positives.double() / num_positives,
        area=int(twice.sum()) / (2 * num_positives * num_negatives),
    )


def roc_auc(scores: Tensor, positives: Tensor) -> float | None:
    """Return the area under the ROC curve of one class against all others.

    It is the probability that a random image of the class has a higher score than a random image
    of another class, a tie counting one half.

    Returns:
        The area in 0..1; None where the curve is not defined.

    Raises:
        ShapeError: where a shape or a type is wrong, or the lengths differ.
    """
    curve = roc_curve(scores, positives)
    return None if curve is None else curve.area


def roc_curves(
    logits: Tensor, labels: Tensor, *, num_points: int = 200
) -> tuple[RocCurve | None, ...]:
    """Return the ROC curve of each class, thinned for drawing; None where it is not defined.

    Args:
        logits: floating point (images, classes).
        labels: int64 (images,).
        num_points: the largest number of points of a curve; its area is that of all points.

    Raises:
        ShapeError, DataError, DivergedError: as `evaluate_logits`.
    """
    logits, labels = checked_logits(logits, labels)
    columns = logits.softmax(1).T.contiguous()  # (classes, images)
    curves = [roc_curve(column, labels == index) for index, column in enumerate(columns)]
    return tuple(curve and curve.thinned(num_points) for curve in curves)
