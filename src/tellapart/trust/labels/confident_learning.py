"""Confident learning: which labels of a data set are probably wrong.

A class's *threshold* is the mean probability that its own images have of it. An image counts as
confidently of class j where its probability of j reaches j's threshold; where it reaches several,
the most probable class counts. Counting (given label, confident class) gives the *confident joint*,
which is scaled to the number of images of each given label. Its entries off the diagonal say how
many labels of each kind of confusion are wrong; so many images are taken, those with the largest
margin of the other class over the given one. That is "prune by noise rate".

The result equals that of cleanlab 2.9, ``find_label_issues(filter_by="prune_by_noise_rate")``, in
indices and order, also where the paper leaves a choice: how counts are rounded, and that a label is
kept where its class is the most probable one.

Source: Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
JAIR 70, 2021, arXiv:1911.00068, sections 3.1 and 3.2.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ShapeError

Ranking = Literal["self-confidence", "normalized-margin"]
"""By which score suspicious labels are ordered: the probability of the given class, or that less
the largest other probability."""

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

# Probabilities that differ by less than this count as equal.
_TOLERANCE = 1e-6
# The threshold of a class without images, which no probability reaches.
_UNREACHED = 2.0
# An image of each class is kept, whatever the counts are.
_LEAST_KEPT = 1


def label_issues(
    labels: NDArray[Any], probabilities: NDArray[Any], *, rank_by: Ranking = "self-confidence"
) -> _Ints:
    """Return the images whose labels are probably wrong, the most suspicious first.

    Args:
        labels: whole numbers (images,), the given classes; a class may have no image.
        probabilities: (images, classes), of every image by a classifier that was not trained on it.
        rank_by: the score of the order, lowest first.

    Returns:
        int64 (suspicious images,), indices.

    Raises:
        ShapeError: where labels and probabilities do not match.

    >>> labels = np.array([0, 0, 0, 1, 1, 1])
    >>> of_one = np.array([0.1, 0.2, 0.95, 0.9, 0.8, 0.9])
    >>> label_issues(labels, np.stack([1 - of_one, of_one], axis=1)).tolist()
    [2]
    """
    given, chances = _checked(labels, probabilities)
    counts = _counts_to_take(_scaled(confident_joint(given, chances), given))
    is_taken = np.zeros(len(given), bool)
    for label in range(chances.shape[1]):
        own = np.flatnonzero(given == label)
        if len(own) <= _LEAST_KEPT:
            continue
        for other in np.flatnonzero(counts[label]):
            if other != label:
                margins = chances[own, other] - chances[own, label]
                # The default sort, as cleanlab sorts: another one would order ties differently.
                is_taken[own[np.argsort(-margins)[: counts[label, other]]]] = True
    is_taken &= ~_agrees(given, chances)
    taken = np.flatnonzero(is_taken)
    return taken[np.argsort(label_scores(given, chances, rank_by)[taken])]


def confident_joint(labels: NDArray[Any], probabilities: NDArray[Any]) -> _Ints:
    """Count the images that are confidently of a class, by given label and that class.

    Args:
        labels: whole numbers (images,).
        probabilities: (images, classes).

    Returns:
        int64 (classes, classes), rows by given label. At least 1 on the diagonal.

    Raises:
        ShapeError: where labels and probabilities do not match.
    """
    given, chances = _checked(labels, probabilities)
    num_classes = chances.shape[1]
    means = [
        chances[given == label, label].mean() if (given == label).any() else _UNREACHED
        for label in range(num_classes)
    ]
    thresholds = np.maximum(means, 2 * _TOLERANCE)
    is_confident = chances >= thresholds - _TOLERANCE
    several = is_confident.sum(1) > 1
    guesses = np.where(several, chances.argmax(1), is_confident.argmax(1))
    counted = is_confident.any(1)
    joint = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(joint, (given[counted], guesses[counted]), 1)
    np.fill_diagonal(joint, joint.diagonal().clip(min=1))
    return joint


def label_scores(
    labels: NDArray[Any], probabilities: NDArray[Any], rank_by: Ranking = "self-confidence"
) -> _Floats:
    """Return how well each label fits, between 0 and 1; the lower, the more suspicious.

    Args:
        labels: whole numbers (images,).
        probabilities: (images, classes), at least two classes.
        rank_by: ``self-confidence``, the probability of the given class; or
            ``normalized-margin``, (1 + that less the largest other probability) / 2.

    Raises:
        ShapeError: where labels and probabilities do not match.
    """
    given, chances = _checked(labels, probabilities)
    rows = np.arange(len(given))
    own = chances[rows, given]
    if rank_by == "self-confidence":
        return own
    others = chances.copy()
    others[rows, given] = -np.inf
    scores: _Floats = (own - others.max(1) + 1) / 2
    return scores


def _checked(labels: NDArray[Any], probabilities: NDArray[Any]) -> tuple[_Ints, _Floats]:
    given, chances = np.asarray(labels), np.asarray(probabilities, np.float64)
    if chances.ndim != 2 or given.shape != chances.shape[:1] or chances.shape[1] < 2:
        raise ShapeError(
            "probabilities must be (images, classes) of at least 2 classes, with a label for each "
            f"image, got {chances.shape} and labels {given.shape}"
        )
    if len(given) and not 0 <= given.min() <= given.max() < chances.shape[1]:
        raise ShapeError(
            f"labels must lie in 0..{chances.shape[1] - 1}, one column of the probabilities each, "
            f"got {given.min()}..{given.max()}"
        )
    return given.astype(np.int64), chances


def _scaled(joint: _Ints, given: _Ints) -> _Ints:
    """The joint with each row scaled to the number of images of its label, in whole numbers."""
    counts = np.bincount(given, minlength=len(joint))
    # By columns in memory, as cleanlab has it: another order of summing rounds other halves.
    rows = (np.ascontiguousarray(joint.T) / joint.sum(1) * counts).T
    return _rounded_rows(rows / max(rows.sum(), 1e-100) * counts.sum())


def _counts_to_take(joint: _Ints) -> _Ints:
    """How many images to take of each label for each other class, the others left on the diagonal.

    Where fewer than `_LEAST_KEPT` would be left of a class, fewer are taken of its confusions, all
    alike.
    """
    # By true class and given label, in whole numbers along rows: what rounds off goes elsewhere
    # than by given label.
    by_class = joint.T
    kept = np.maximum(by_class.diagonal(), _LEAST_KEPT)
    missing = kept - by_class.diagonal()
    num_confusions = np.maximum(np.count_nonzero(by_class, axis=0) - 1.0, 1.0)
    reduced = np.maximum(by_class - missing / num_confusions, 0.0)
    np.fill_diagonal(reduced, kept)
    # Not rounded but cut off; what that takes from the diagonal is nothing.
    return _rounded_rows(np.trunc(reduced)).T


def _rounded_rows(matrix: _Floats) -> _Ints:
    """The matrix in whole numbers, each row with its sum, rounded, as before."""
    return np.stack([_rounded(row) for row in matrix])


def _rounded(row: _Floats) -> _Ints:
    rounded = row.round()
    while (missing := int(row.sum().round() - rounded.sum())) != 0:
        # Those that were rounded the furthest away are moved by one, and again if that is not all.
        step = 1 if missing > 0 else -1
        furthest = np.argsort(row - rounded)[::-step][: abs(missing)]
        rounded[furthest] += step
    return rounded.astype(np.int64)


def _agrees(given: _Ints, chances: _Floats) -> NDArray[np.bool_]:
    """Whether the given class is the most probable one, or as good as."""
    favoured = chances.copy()
    favoured[np.arange(len(given)), given] += _TOLERANCE
    agrees: NDArray[np.bool_] = favoured.argmax(1) == given
    return agrees
