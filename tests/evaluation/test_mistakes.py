"""The most confident mistakes and the most frequent confusions come first."""

import pytest
import torch
from torch import nn

from tellapart.evaluation import evaluate_logits, most_confident_mistakes, most_confused

NAMES = ("ant", "bee", "cat")


def test_the_most_confident_mistakes_come_first():
    logits = torch.tensor([[9.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    labels = torch.tensor([0, 0, 1, 0, 1])
    mistakes = most_confident_mistakes(logits, labels, 3)
    assert [mistake.index for mistake in mistakes] == [2, 4, 3]
    assert (mistakes[2].label, mistakes[2].prediction) == (0, 1)
    assert mistakes[2].probability == pytest.approx(1 / (1 + 2.718281828**-2))
    assert len(most_confident_mistakes(logits, labels, 99)) == 4
    assert most_confident_mistakes(logits[:1], labels[:1], 5) == []


def test_the_most_frequent_confusions_come_first():
    labels = torch.tensor([0] * 5 + [1] * 5 + [2])
    predictions = torch.tensor([0, 1, 1, 1, 2, 1, 0, 0, 1, 1, 2])
    evaluation = evaluate_logits(nn.functional.one_hot(predictions, 3).double(), labels, NAMES)
    assert most_confused(evaluation, 2) == [(0, 1, 3), (1, 0, 2)]
    assert len(most_confused(evaluation, 10)) == 3
