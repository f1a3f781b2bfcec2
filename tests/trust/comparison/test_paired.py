"""Two classifiers on the same images: the test against scipy's, the interval by simulation."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import binomtest

from tellapart.errors import DataError
from tellapart.trust.comparison.paired import compare_answers, difference_interval, mcnemar_p_value


@pytest.mark.parametrize(
    ("first", "second"), [(0, 0), (0, 1), (1, 9), (9, 1), (7, 7), (7, 8), (40, 60), (900, 1100)]
)
def test_the_exact_test_is_that_of_scipy(first: int, second: int):
    total = first + second
    expected = binomtest(first, total, 0.5).pvalue if total else 1.0
    assert mcnemar_p_value(first, second) == pytest.approx(expected, rel=1e-9)


def test_a_p_too_small_for_a_float_is_zero():
    assert mcnemar_p_value(0, 2000) == 0


def test_the_interval_holds_the_difference_as_often_as_it_promises():
    generator = torch.Generator().manual_seed(0)
    # Of 200 images the first alone gets 8 % right, the second alone 3 %.
    draws = torch.rand(2000, 200, generator=generator)
    only_first, only_second = (draws < 0.08).sum(1), (draws > 0.97).sum(1)
    held = 0
    for first, second in zip(only_first.tolist(), only_second.tolist(), strict=True):
        low, high = difference_interval(first, second, 200)
        held += low <= 0.05 <= high
    assert 0.935 <= held / 2000 <= 0.975


def test_the_interval_turns_with_the_sides_and_stays_inside():
    low, high = difference_interval(12, 3, 100)
    assert difference_interval(3, 12, 100) == pytest.approx((-high, -low))
    assert difference_interval(10, 0, 10)[1] == 1.0
    low, high = difference_interval(0, 0, 100)
    assert low < 0 < high


@pytest.mark.parametrize("counts", [(-1, 2, 10), (6, 5, 10), (0, 0, 0)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, int, int]):
    with pytest.raises(DataError, match="counts must be"):
        difference_interval(*counts)


def test_each_image_falls_into_its_cell():
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    first = torch.tensor([0, 1, 1, 0, 2, 0])
    second = torch.tensor([0, 0, 2, 0, 0, 1])
    # The second is more certain of image 4 than of image 2, both of which it gets wrong.
    strength = torch.tensor([1.0, 1.0, 1.0, 1.0, 3.0, 1.0])
    logits = tuple(
        torch.nn.functional.one_hot(answers, 3) * strength[:, None] for answers in (first, second)
    )
    compared = compare_answers(labels, (first, second), (logits[0], logits[1]))
    assert (compared.num_images, compared.num_both) == (6, 1)
    assert [entry.index for entry in compared.only_first] == [4, 2]
    assert [(e.index, e.label, e.answer) for e in compared.only_second] == [(1, 0, 1)]
    assert compared.num_correct == (3, 2)
    assert compared.num_same_answer == 2
    assert compared.difference == pytest.approx(1 / 6)
    assert not compared.is_significant
    content = compared.to_json()
    assert content["only_this_correct"] == [4, 2]
    assert content["accuracy"] == 0.5
