"""Accuracy by subgroup, its tests against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency, fisher_exact

from tellapart.errors import DataError
from tellapart.trust.comparison.subgroups import (
    fisher_p_value,
    measure_subgroups,
    permutation_p_value,
)


@pytest.mark.parametrize(
    ("correct", "totals"),
    [
        ((8, 2), (10, 10)),
        ((9, 5), (9, 6)),
        ((3, 3), (5, 5)),
        ((236, 165), (309, 216)),
        ((0, 0), (4, 4)),
    ],
)
def test_the_exact_test_is_that_of_scipy(correct, totals):
    table = [correct, [total - right for right, total in zip(correct, totals, strict=True)]]
    assert fisher_p_value(correct, totals) == pytest.approx(fisher_exact(table).pvalue, rel=1e-6)


@pytest.mark.parametrize("correct", [(150, 140, 160), (150, 120, 160), (190, 195, 192)])
def test_with_many_images_the_permutations_agree_with_the_chi_square_distribution(correct):
    totals = (200, 200, 200)
    table = np.array([correct, np.subtract(totals, correct)])
    expected = chi2_contingency(table, correction=False).pvalue
    assert permutation_p_value(correct, totals) == pytest.approx(expected, abs=0.05)


def test_subgroups_that_are_alike_are_rarely_called_different():
    random = np.random.default_rng(0)
    totals = (30, 12, 50)
    found = [
        permutation_p_value([int(random.binomial(n, 0.9)) for n in totals], totals)
        for _ in range(60)
    ]
    assert np.mean(np.array(found) < 0.05) < 0.12


def test_each_subgroup_has_its_own_figures():
    labels = torch.tensor([0, 0, 0, 1, 1, 0, 1, 1])
    answers = torch.tensor([0, 0, 1, 1, 1, 0, 0, 0])
    values = ["a", "a", "a", "a", "b", "b", "b", "b"]
    result = measure_subgroups("kind", values, labels, answers, 2)
    lowest, highest = result.groups
    assert (lowest.name, lowest.num_images, lowest.num_correct) == ("b", 4, 2)
    assert lowest.wrong == (6, 7)
    assert lowest.balanced_accuracy == pytest.approx((1 + 1 / 3) / 2)
    assert (highest.name, highest.num_correct) == ("a", 3)
    assert result.largest_gap == pytest.approx(0.25)
    assert result.test == "Fisher's exact test"
    assert not result.is_significant
    assert result.to_json()["groups"][0]["wrong"] == [6, 7]


def test_one_subgroup_cannot_be_compared():
    labels = torch.zeros(3, dtype=torch.int64)
    with pytest.raises(DataError, match="'a'"):
        measure_subgroups("kind", ["a"] * 3, labels, labels, 2)
