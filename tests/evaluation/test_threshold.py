"""The chosen threshold is the highest one that finds the wanted fraction of its class."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tellapart.errors import DataError
from tellapart.evaluation.metrics import wilson_interval
from tellapart.evaluation.threshold import choose_threshold
from tellapart.models.decision import decide

NAMES = ("good", "bad")


def logits_of(*probabilities):
    """Of images that are bad with these probabilities."""
    bad = torch.tensor(probabilities, dtype=torch.float64)
    return torch.stack([(1 - bad).log(), bad.log()], 1)


def choose(probabilities, labels, recall):
    return choose_threshold(logits_of(*probabilities), torch.tensor(labels), NAMES, "bad", recall)


@pytest.mark.parametrize(
    ("recall", "threshold", "num_found"),
    [(0.95, 0.1, 5), (0.8, 0.2, 4), (0.6, 0.4, 3), (0.61, 0.2, 4), (0.05, 0.9, 1)],
)
def test_as_many_are_found_as_wanted_and_no_more(recall, threshold, num_found):
    bad, good = [0.9, 0.8, 0.4, 0.2, 0.1], [0.95, 0.3]
    chosen = choose(bad + good, [1] * 5 + [0] * 2, recall)
    assert chosen.probability == pytest.approx(threshold, rel=3e-5)
    assert (chosen.num_found, chosen.num_images) == (num_found, 5)
    assert chosen.recall == num_found / 5 >= recall
    assert chosen.recall_interval == wilson_interval(num_found, 5)


@given(
    st.lists(st.floats(-20, 20), min_size=1, max_size=40),
    st.floats(0.001, 0.999),
)
def test_it_finds_enough_and_a_higher_one_would_not(differences, recall):
    logits = torch.tensor([[0.0, difference] for difference in differences])
    labels = torch.ones(len(logits), dtype=torch.int64)
    chosen = choose_threshold(logits, labels, NAMES, "bad", recall)
    assert 0 < chosen.probability < 1
    found = int(decide(logits, NAMES, {"bad": chosen.probability}).sum())
    assert found == chosen.num_found
    assert found / len(logits) >= recall
    odds = chosen.probability / (1 - chosen.probability)
    higher = odds * 1.0001 / (1 + odds * 1.0001)
    assert int(decide(logits, NAMES, {"bad": higher}).sum()) / len(logits) < recall


def test_the_last_bits_of_the_logits_lose_no_image():
    probabilities = [0.123456789, 0.6123456789, 0.999999123456]
    for probability in probabilities:
        chosen = choose([probability], [1], 0.9)
        rest = min(probability, 1 - probability)
        assert 0.99e-5 * rest < probability - chosen.probability < 3e-5 * rest


def test_certain_images_have_a_threshold_below_one():
    chosen = choose_threshold(torch.tensor([[0.0, 900.0]]), torch.tensor([1]), NAMES, "bad", 0.5)
    assert chosen.probability == math.nextafter(1, 0)


def test_images_without_any_probability_are_refused():
    logits = torch.tensor([[900.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([1, 1])
    with pytest.raises(DataError, match=r"0\.9 of 'bad'.*lower recall"):
        choose_threshold(logits, labels, NAMES, "bad", 0.9)
    assert choose_threshold(logits, labels, NAMES, "bad", 0.5).num_found == 1


def test_a_class_without_images_is_refused():
    with pytest.raises(DataError, match="'bad' is chosen on images of that class"):
        choose([0.4, 0.6], [0, 0], 0.9)
