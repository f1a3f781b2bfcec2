"""The answered class is the most probable one, unless a threshold decides."""

import pytest
import torch

from tellapart.models.decision import decide

NAMES = ("ant", "bee", "cat")
PROBABILITIES = torch.tensor(
    [[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.34, 0.33, 0.33], [0.3, 0.65, 0.05]]
)


def answers(**thresholds):
    return decide(PROBABILITIES.log(), NAMES, thresholds).tolist()


def test_without_a_threshold_the_most_probable_class_is_answered():
    assert answers() == PROBABILITIES.argmax(1).tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        ({"bee": 0.25}, [1, 1, 2, 1, 1]),  # answered though another class is more probable
        ({"bee": 0.68}, [0, 1, 2, 0, 0]),  # not answered though it is the most probable
        ({"cat": 0.9}, [0, 1, 1, 0, 1]),
        ({"ant": 1e-9}, [0, 0, 0, 0, 0]),
    ],
)
def test_a_threshold_decides_on_its_class_alone(thresholds, expected):
    assert answers(**thresholds) == expected


def test_the_threshold_itself_is_enough_and_the_logits_stay():
    logits = torch.zeros(1, 2)
    assert decide(logits, ("a", "b"), {"b": 0.5}).tolist() == [1]
    assert decide(logits, ("a", "b"), {"b": 0.5000001}).tolist() == [0]
    assert logits.tolist() == [[0, 0]]


def test_probabilities_next_to_one_still_differ():
    logits = torch.tensor([[20.0, 0.0], [25.0, 0.0]])  # in float32 both have probability 1
    assert logits.softmax(1)[:, 0].tolist() == [1, 1]
    assert decide(logits, ("a", "b"), {"a": 1 - 1e-10}).tolist() == [1, 0]
