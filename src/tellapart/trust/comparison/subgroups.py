"""Accuracy by subgroup, and whether chance explains that some subgroups are harder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tellapart.errors import DataError
from tellapart.evaluation.metrics import balanced_accuracy, confusion_matrix, wilson_interval

_NUM_DRAWS = 19_999

_Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Subgroup:
    """The answers to the images of one subgroup.

    Args:
        name: what its images have in common.
        num_images: how many there are.
        num_correct: how many are classified correctly.
        balanced_accuracy: the mean recall of the classes that have images here.
        balanced_accuracy_interval: its 95 % interval.
        wrong: the places of the images that are classified incorrectly.
    """

    name: str
    num_images: int
    num_correct: int
    balanced_accuracy: float
    balanced_accuracy_interval: tuple[float, float]
    wrong: tuple[int, ...]

    @property
    def accuracy(self) -> float:
        """The fraction of its images that is classified correctly."""
        return self.num_correct / self.num_images

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the accuracy."""
        return wilson_interval(self.num_correct, self.num_images)


@dataclass(frozen=True)
class SubgroupAccuracy:
    """Accuracy by subgroup.

    Args:
        column: what the subgroups differ in.
        groups: the subgroups, the least accurate first.
        p_value: how likely subgroups that are equally hard would differ at least as much.
        test: the name of the test that gave it.
    """

    column: str
    groups: tuple[Subgroup, ...]
    p_value: float
    test: str

    @property
    def num_images(self) -> int:
        """The number of all images."""
        return sum(group.num_images for group in self.groups)

    @property
    def largest_gap(self) -> float:
        """The accuracy of the best subgroup minus that of the worst."""
        return self.groups[-1].accuracy - self.groups[0].accuracy

    @property
    def is_significant(self) -> bool:
        """Whether chance is a poor explanation of the differences: p below 5 %."""
        return self.p_value < 0.05

    def to_json(self) -> dict[str, Any]:
        """Return plain text and numbers."""
        return {
            "column": self.column,
            "num_images": self.num_images,
            "largest_gap": self.largest_gap,
            "lowest": self.groups[0].name,
            "highest": self.groups[-1].name,
            "p_value": self.p_value,
            "test": self.test,
            "groups": [
                {
                    "group": group.name,
                    "num_images": group.num_images,
                    "accuracy": group.accuracy,
                    "accuracy_interval": list(group.accuracy_interval),
                    "balanced_accuracy": group.balanced_accuracy,
                    "balanced_accuracy_interval": list(group.balanced_accuracy_interval),
                    "wrong": list(group.wrong),
                }
                for group in self.groups
            ],
        }


def measure_subgroups(
    column: str, values: Sequence[str], labels: Tensor, answers: Tensor, num_classes: int
) -> SubgroupAccuracy:
    """Measure the accuracy of each subgroup.

    Args:
        column: what the subgroups differ in.
        values: the name of each image's subgroup, of at least two.
        labels: int64 (images,).
        answers: int64 (images,).
        num_classes: of the classifier.

    Raises:
        DataError: images of one subgroup only.
    """
    names = sorted(set(values))
    if len(names) < 2:
        raise DataError(f"subgroups are compared, and {column} has one value, {names[0]!r}")
    numbers = torch.tensor([names.index(value) for value in values])
    groups = []
    for number, name in enumerate(names):
        places = (numbers == number).nonzero().squeeze(1)
        confusion = confusion_matrix(answers[places], labels[places], num_classes)
        wrong = places[answers[places] != labels[places]]
        num_correct = len(places) - len(wrong)
        balanced = balanced_accuracy(confusion)
        groups.append(Subgroup(name, len(places), num_correct, *balanced, tuple(wrong.tolist())))
    groups.sort(key=lambda group: group.accuracy)
    correct = [group.num_correct for group in groups]
    p_value, test = _test(correct, [group.num_images for group in groups])
    return SubgroupAccuracy(column, tuple(groups), p_value, test)


def _test(correct: list[int], totals: list[int]) -> tuple[float, str]:
    if len(totals) == 2:
        return fisher_p_value(correct, totals), "Fisher's exact test"
    return permutation_p_value(correct, totals), "permutation test of the chi-square statistic"


def fisher_p_value(correct: Sequence[int], totals: Sequence[int]) -> float:
    """Return Fisher's exact two-sided p of two groups that are equally accurate.

    Given how many images are correct in all, the number of correct ones in the first group follows
    a hypergeometric distribution. The p is the probability of all numbers that are no more likely
    than the one that was found.

    Args:
        correct: the number of correct images of the two groups.
        totals: the number of images of the two groups.

    Source: R. A. Fisher, "On the interpretation of chi-square from contingency tables", J. R. Stat.
    Soc. 85 (1922), 87-94.
    """
    (first, second), all_correct = totals, sum(correct)
    fewest, most = max(0, all_correct - second), min(first, all_correct)
    ways = {
        count: math.comb(first, count) * math.comb(second, all_correct - count)
        for count in range(fewest, most + 1)
    }
    # Whole numbers: tables that are equally likely are equal, and nothing is rounded.
    as_rare = sum(number for number in ways.values() if number <= ways[correct[0]])
    p_value: float = as_rare / sum(ways.values())
    return p_value


def permutation_p_value(correct: Sequence[int], totals: Sequence[int], seed: int = 0) -> float:
    """Return how often random division of the mistakes makes groups at least as unequal.

    The mistakes are dealt out to the images at random, 19,999 times, and compared by the chi-square
    statistic of group against correctness. The p counts the division that was found as one more:
    ``(1 + as unequal) / (1 + draws)``, so it is never 0.

    Args:
        correct: the number of correct images of each group.
        totals: the number of images of each group.
        seed: of the random divisions.

    Source: B. Phipson and G. K. Smyth, "Permutation p-values should never be zero", Stat. Appl.
    Genet. Mol. Biol. 9 (2010).
    """
    random = np.random.default_rng(seed)
    drawn = random.multivariate_hypergeometric(
        np.asarray(totals), sum(correct), size=_NUM_DRAWS, method="marginals"
    )
    found = _chi_square(np.asarray([correct]), totals)[0]
    as_unequal = int((_chi_square(drawn, totals) >= found * (1 - 1e-12)).sum())
    return (1 + as_unequal) / (1 + _NUM_DRAWS)


def _chi_square(correct: NDArray[np.int64], totals: Sequence[int]) -> _Numbers:
    """Pearson's statistic of each row of ``correct`` (rows, groups); 0 if nothing varies."""
    sizes = np.asarray(totals, dtype=np.float64)
    fraction = correct.sum(1, keepdims=True) / sizes.sum()
    variance = sizes * fraction * (1 - fraction)
    squares = (correct - sizes * fraction) ** 2
    parts = np.divide(squares, variance, out=np.zeros_like(squares), where=variance > 0)
    statistic: _Numbers = parts.sum(1)
    return statistic
