"""A classifier that is of no use is called so, and one that is of use is not."""

import math

import pytest
import torch
from scipy.stats import binomtest

from tellapart.evaluation import evaluate_logits
from tellapart.evaluation.verdict import _chance_of_at_least, verdict


def evaluation(confusion, names=("a", "b", "c")):
    """Of predictions with this confusion matrix: a row per true class."""
    labels, answers = [], []
    for true, row in enumerate(confusion):
        for answer, count in enumerate(row):
            labels += [true] * count
            answers += [answer] * count
    logits = 5 * torch.nn.functional.one_hot(torch.tensor(answers), len(confusion)).float()
    return evaluate_logits(logits, torch.tensor(labels), names[: len(confusion)])


@pytest.mark.parametrize(
    ("confusion", "words"),
    [
        ([[50, 0], [50, 0]], "'a' for everything"),
        ([[0, 50], [2, 48]], "'b' for nearly everything"),
        ([[90, 0, 0], [5, 0, 0], [5, 0, 0]], "'a' for everything"),
        ([[60, 20], [15, 5]], "not significantly better than always answering 'a'"),
        ([[2, 0], [0, 2]], "not significantly better"),  # too few to tell
        ([[0, 20], [0, 0]], "'b' for everything"),  # of one class, and answered as another
        ([[900, 100], [88, 12]], "not significantly better"),
        ([[1700, 300], [800, 200]], "not significantly better"),  # of similar size
    ],
)
def test_of_no_use(confusion, words):
    assert words in verdict(evaluation(confusion))


@pytest.mark.parametrize(
    "confusion",
    [
        [[50, 0], [0, 50]],
        [[40, 10], [10, 40]],
        [[990, 0], [0, 10]],  # nearly all images are of one class, and rightly answered so
        [[33, 3, 3], [4, 30, 2], [3, 3, 31]],
        [[5, 0], [0, 5]],
        [[900, 100], [60, 40]],  # less accurate than one answer, but it tells unequal classes apart
        [[10, 0], [0, 0]],  # images of one class alone do not tell
        [[6, 4], [0, 0]],
    ],
)
def test_of_use(confusion):
    assert verdict(evaluation(confusion)) is None


def test_a_threshold_that_costs_accuracy_is_of_use_unless_all_is_answered_alike():
    bad = torch.tensor([0.9, 0.8, 0.3, 0.3] + [0.3] * 4 + [0.1] * 12, dtype=torch.float64)
    logits = torch.stack([(1 - bad).log(), bad.log()], 1)
    labels = torch.tensor([1] * 4 + [0] * 16)
    lowered = evaluate_logits(logits, labels, ("good", "bad"), {"bad": 0.2})
    assert lowered.accuracy == lowered.majority_baseline
    assert verdict(lowered) is None
    assert "'bad' for everything" in verdict(
        evaluate_logits(logits, labels, ("good", "bad"), {"bad": 0.05})
    )


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (0, 5), (5, 5), (7, 10), (520, 1000)])
def test_the_exact_test_is_scipys(successes, trials):
    ours = _chance_of_at_least(successes, trials)
    if trials == 0:
        assert ours == 1
    else:
        theirs = binomtest(successes, trials, 0.5, alternative="greater").pvalue
        assert math.isclose(ours, theirs, rel_tol=1e-9)


def test_many_images_are_counted_by_the_normal_distribution():
    theirs = binomtest(5100, 10_000, 0.5, alternative="greater").pvalue
    assert math.isclose(_chance_of_at_least(5100, 10_000), theirs, rel_tol=0.01)
