"""Intervals of means, and the verdicts that they give."""

import pytest
import torch
from scipy import stats

from tellapart.explanation.verdicts import (
    CHANCE,
    EDGE_DETECTOR,
    EDGES,
    RANDOM,
    RANDOM_WEIGHTS,
    RULES,
    UNLEARNED,
    WEIGHTS,
    Comparison,
    Interval,
    failed_rules,
    mean_with_interval,
)


@pytest.mark.parametrize("number", [20, 50, 200])
def test_the_interval_is_that_of_students_t(number):
    values = torch.rand(number, generator=torch.Generator().manual_seed(number)).double()
    interval = mean_with_interval(values)
    low, high = stats.t.interval(0.95, number - 1, values.mean().item(), stats.sem(values.numpy()))
    assert interval.mean == pytest.approx(values.mean().item())
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-3)


def comparison(low):
    nothing = Interval(0.0, 0.0, 0.0)
    return Comparison(nothing, nothing, Interval(0.1, low, 0.2))


@pytest.mark.parametrize(
    ("lows", "failed"),
    [
        ((0.05, 0.05, 0.05), ()),
        ((0.05, 0.05, -0.01), (EDGES,)),
        ((0.05, 0.0, 0.05), (UNLEARNED,)),
        ((-0.1, 0.0, -0.1), (CHANCE, UNLEARNED, EDGES)),
    ],
)
def test_a_rule_is_passed_only_if_the_whole_interval_is_above_zero(lows, failed):
    names = (RANDOM, RANDOM_WEIGHTS, EDGE_DETECTOR)
    against = {name: comparison(low) for name, low in zip(names, lows, strict=True)}
    assert tuple(RULES) == names
    assert failed_rules(against, Interval(0.9, 0.85, 0.95)) == failed
    assert failed_rules(against, Interval(0.95, 0.92, 0.98)) == (WEIGHTS, *failed)
