"""How well scores separate: against scikit-learn, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from tellapart.errors import DataError
from tellapart.trust.outside.separation import measure_separation


def draws(count, shift, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, generator=generator, dtype=torch.float64) + shift


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("num_inside", "num_outside"), [(200, 300), (57, 13)])
def test_figures_are_those_of_scikit_learn(num_inside, num_outside, ties):
    inside, outside = draws(num_inside, 0, 1), draws(num_outside, 1.5, 2)
    if ties:
        inside, outside = inside.round(), outside.round()
    measured = measure_separation(inside, outside)
    labels = [0] * num_inside + [1] * num_outside
    scores = torch.cat([inside, outside]).numpy()
    assert measured.auroc == pytest.approx(roc_auc_score(labels, scores))
    # Inside as the positives, as in the literature: recall is theirs.
    false_rates, recalls, _ = roc_curve([1 - label for label in labels], -scores)
    at_95 = false_rates[np.flatnonzero(recalls >= 0.95)[0]]
    assert measured.false_positive_rate == pytest.approx(at_95)
    for value, (low, high) in (
        (measured.auroc, measured.auroc_interval),
        (measured.false_positive_rate, measured.false_positive_rate_interval),
    ):
        assert 0 <= low <= value <= high <= 1
        assert low < high


def test_intervals_cover_the_truth_about_95_times_in_100():
    truth = measure_separation(draws(200_000, 0, 1), draws(200_000, 2, 2))
    covered = np.zeros(2)
    for seed in range(200):
        found = measure_separation(draws(80, 0, 10 + seed), draws(60, 2, 5000 + seed))
        low, high = found.auroc_interval
        covered[0] += low <= truth.auroc <= high
        low, high = found.false_positive_rate_interval
        covered[1] += low <= truth.false_positive_rate <= high
    assert 180 <= covered[0] <= 199
    assert 175 <= covered[1] <= 200


def test_perfect_separation_is_no_certainty():
    measured = measure_separation(torch.arange(20.0), torch.arange(30.0, 80.0))
    assert (measured.auroc, measured.false_positive_rate) == (1, 0)
    assert 0.8 < measured.auroc_interval[0] < 1
    assert measured.auroc_interval[1] == 1
    assert 0 < measured.false_positive_rate_interval[1] < 0.1
    upside_down = measure_separation(torch.arange(30.0, 80.0), torch.arange(20.0))
    assert (upside_down.auroc, upside_down.false_positive_rate) == (0, 1)


def test_one_image_on_each_side_still_has_figures():
    measured = measure_separation(torch.tensor([0.0]), torch.tensor([0.0]))
    assert measured.auroc == 0.5
    low, high = measured.auroc_interval
    assert 0 <= low <= 0.5 <= high <= 1


def test_no_image_is_refused():
    with pytest.raises(DataError, match="at least one"):
        measure_separation(torch.zeros(3), torch.zeros(0))
