"""The mean of class probabilities, handed on as logits."""

import math

import pytest
import torch
from torch import nn

from tellapart.models.ensemble import Ensemble, log_mean_probability


class Says(nn.Module):
    """Gives the same logits for every picture."""

    def __init__(self, *logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images):
        return self.logits.expand(len(images), -1)


def pictures(count):
    return torch.zeros(count, 1, 2, 2, dtype=torch.uint8)


def test_the_mean_of_probabilities_by_hand():
    # 3/4 against 1/4, and 1/10 against 9/10: (0.75 + 0.1) / 2 and (0.25 + 0.9) / 2
    answers = torch.tensor([[3.0, 1.0]]).log(), torch.tensor([[1.0, 9.0]]).log()
    expected = torch.tensor([[0.425, 0.575]]).log()
    torch.testing.assert_close(log_mean_probability(answers), expected)


def test_it_is_not_the_mean_of_logits():
    sure, unsure = torch.tensor([[8.0, 0.0]]), torch.tensor([[-3.0, 0.0]])
    p = 1 / (1 + math.exp(-8)), 1 / (1 + math.exp(3))
    probabilities = log_mean_probability([sure, unsure]).softmax(1)
    assert probabilities[0, 0].item() == pytest.approx(sum(p) / 2)
    assert probabilities[0, 0].item() < 0.6 < ((sure + unsure) / 2).softmax(1)[0, 0].item()


def test_one_answer_once_or_often_keeps_its_probabilities():
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)) * 10
    for count in (1, 2, 9):
        mean = log_mean_probability([logits] * count)
        torch.testing.assert_close(mean, logits.log_softmax(1))
        assert mean.dtype == torch.float32


def test_a_probability_too_small_for_a_float_is_not_lost():
    logits = torch.tensor([[0.0, -200.0, -300.0]])
    torch.testing.assert_close(log_mean_probability([logits, logits]), logits)


def test_what_is_no_number_stays_none():
    broken = torch.tensor([[0.0, math.nan]])
    assert not log_mean_probability([torch.zeros(1, 2), broken]).isfinite().any()
    assert not log_mean_probability([torch.tensor([[0.0, math.inf]])]).isfinite().any()


def test_half_precision_answers_are_averaged_in_full():
    halves = [torch.tensor([[0.1, 0.2]], dtype=torch.bfloat16)] * 3
    assert log_mean_probability(halves).dtype == torch.float32


def test_an_ensemble_answers_with_the_mean():
    ensemble = Ensemble([Says(0.0, 1.0, 2.0), Says(5.0, 0.0, 0.0)])
    expected = (torch.tensor([0.0, 1, 2]).softmax(0) + torch.tensor([5.0, 0, 0]).softmax(0)) / 2
    probabilities = ensemble(pictures(3)).softmax(1)
    torch.testing.assert_close(probabilities, expected.expand(3, 3))
    assert len(list(ensemble.parameters())) == 2  # both move with it to a device


def test_the_order_of_its_classifiers_does_not_matter():
    one, other = Says(0.3, 1.0), Says(-2.0, 0.1)
    there, back = Ensemble([one, other]), Ensemble([other, one])
    torch.testing.assert_close(there(pictures(2)), back(pictures(2)))
