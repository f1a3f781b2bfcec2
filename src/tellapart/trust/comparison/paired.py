"""Two classifiers on the same images: which is better, and whether chance explains it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from torch import Tensor

from tellapart.errors import DataError
from tellapart.evaluation.metrics import check_labels, wilson_interval


def mcnemar_p_value(only_first: int, only_second: int) -> float:
    """Return the probability of a difference at least as large if both classifiers were equal.

    Images that both classify alike tell nothing. If neither classifier were better, each of the
    other ``n = only_first + only_second`` would be as likely to favour one as the other, so the
    smaller count follows a binomial distribution with ``n`` trials and probability 1/2. This is the
    exact, two-sided test: twice the lower tail, at most 1.

    Args:
        only_first: the number of images that only the first classifies correctly.
        only_second: the number of images that only the second classifies correctly.

    Raises:
        DataError: a count below 0.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions
    or percentages", Psychometrika 12 (1947), 153-157.

    >>> mcnemar_p_value(1, 9)
    0.021484375
    """
    if min(only_first, only_second) < 0:
        raise DataError(f"counts must be at least 0, got {only_first} and {only_second}")
    total = only_first + only_second
    ways, sum_of_ways = 1, 0
    for count in range(min(only_first, only_second) + 1):
        sum_of_ways += ways
        ways = ways * (total - count) // (count + 1)  # of choosing count + 1 out of total
    # Whole numbers until here: nothing is rounded, however many images there are.
    p_value: float = 2 * sum_of_ways / 2**total
    return min(p_value, 1.0)


def difference_interval(
    only_first: int, only_second: int, total: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the interval of the first accuracy minus the second, both on the same images.

    ``d ± z sqrt((p1 + p2 - d²) / (n + 2))`` with ``p1 = (only_first + 1) / (n + 2)``, ``p2``
    likewise, ``d = p1 - p2`` and ``z`` the normal quantile of ``confidence``.

    Args:
        only_first: the number of images that only the first classifies correctly.
        only_second: the number of images that only the second classifies correctly.
        total: the number of all images, ``n``.
        confidence: between 0 and 1.

    Raises:
        DataError: counts that cannot be.

    Source: D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference of
    binomial proportions based on paired data", J. Educ. Behav. Stat. 37 (2012), 479-488.
    """
    if total < 1 or min(only_first, only_second) < 0 or only_first + only_second > total:
        raise DataError(
            f"counts must be at least 0 and together at most {total}, "
            f"got {only_first} and {only_second}"
        )
    quantile = NormalDist().inv_cdf((1 + confidence) / 2)
    first, second = ((count + 1) / (total + 2) for count in (only_first, only_second))
    middle = first - second
    half_width = quantile * math.sqrt((first + second - middle**2) / (total + 2))
    return max(middle - half_width, -1.0), min(middle + half_width, 1.0)


@dataclass(frozen=True)
class Disagreement:
    """An image that exactly one of two classifiers gets right.

    Args:
        index: its place in the image set.
        label: the index of its true class.
        answer: what the classifier that is wrong answers.
        probability: the probability in 0..1 that it gives to its answer.
    """

    index: int
    label: int
    answer: int
    probability: float


@dataclass(frozen=True)
class PairedComparison:
    """Two classifiers on the same images.

    Args:
        num_images: the number of images.
        num_both: how many both classify correctly.
        num_same_answer: how many both answer alike, right or wrong.
        only_first: those that only the first gets right, the most confident mistake first.
        only_second: those that only the second gets right, likewise.
    """

    num_images: int
    num_both: int
    num_same_answer: int
    only_first: tuple[Disagreement, ...]
    only_second: tuple[Disagreement, ...]

    @property
    def num_correct(self) -> tuple[int, int]:
        """How many images each of the two classifies correctly."""
        return self.num_both + len(self.only_first), self.num_both + len(self.only_second)

    @property
    def difference(self) -> float:
        """The accuracy of the first minus that of the second."""
        return (len(self.only_first) - len(self.only_second)) / self.num_images

    @property
    def difference_interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference."""
        return difference_interval(len(self.only_first), len(self.only_second), self.num_images)

    @property
    def p_value(self) -> float:
        """McNemar's exact two-sided p."""
        return mcnemar_p_value(len(self.only_first), len(self.only_second))

    @property
    def is_significant(self) -> bool:
        """Whether chance is a poor explanation of the difference: p below 5 %."""
        return self.p_value < 0.05

    def to_json(self) -> dict[str, Any]:
        """Return plain text and numbers; every image that exactly one gets right by its index."""
        first, second = self.num_correct
        return {
            "num_images": self.num_images,
            "accuracy": first / self.num_images,
            "accuracy_interval": list(wilson_interval(first, self.num_images)),
            "other_accuracy": second / self.num_images,
            "other_accuracy_interval": list(wilson_interval(second, self.num_images)),
            "difference": self.difference,
            "difference_interval": list(self.difference_interval),
            "p_value": self.p_value,
            "num_both_correct": self.num_both,
            "num_only_this_correct": len(self.only_first),
            "num_only_other_correct": len(self.only_second),
            "num_same_answer": self.num_same_answer,
            "only_this_correct": [found.index for found in self.only_first],
            "only_other_correct": [found.index for found in self.only_second],
        }


def compare_answers(
    labels: Tensor,
    answers: tuple[Tensor, Tensor],
    logits: tuple[Tensor, Tensor],
) -> PairedComparison:
    """Compare the answers of two classifiers to the same images.

    Args:
        labels: int64 (images,).
        answers: of the first and the second, int64 (images,).
        logits: of the first and the second, floating point (images, classes).

    Raises:
        ShapeError, DataError: labels or answers of another type or length, or no image.
    """
    num_classes = logits[0].shape[1]
    check_labels(labels, num_classes, len(logits[0]))
    for given in answers:
        check_labels(given, num_classes, len(labels))
    first, second = (given == labels for given in answers)
    return PairedComparison(
        num_images=len(labels),
        num_both=int((first & second).sum()),
        num_same_answer=int((answers[0] == answers[1]).sum()),
        only_first=_disagreements(first & ~second, labels, answers[1], logits[1]),
        only_second=_disagreements(second & ~first, labels, answers[0], logits[0]),
    )


def _disagreements(
    where: Tensor, labels: Tensor, wrong: Tensor, logits: Tensor
) -> tuple[Disagreement, ...]:
    """The images ``where`` one is wrong, by falling probability of its answer."""
    probabilities = logits.double().softmax(1).gather(1, wrong[:, None]).squeeze(1)
    indices = where.nonzero().squeeze(1)
    order = probabilities[indices].sort(descending=True, stable=True).indices
    return tuple(
        Disagreement(index, int(labels[index]), int(wrong[index]), float(probabilities[index]))
        for index in indices[order].tolist()
    )
