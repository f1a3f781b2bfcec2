"""Networks with random weights, and how maps are compared."""

import math

import pytest
import torch
from scipy import stats

from tellapart.explanation.randomization import (
    complexity,
    layers_with_weights,
    randomized,
    rank_correlation,
)


@pytest.fixture
def classifier(make):
    return make.trainer(["network=small-residual"]).classifier.eval()


def test_all_weights_are_shuffled_and_the_classifier_stays_as_it_is(classifier):
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    layers = layers_with_weights(classifier.network)
    assert layers[-1] == "output"
    copy = randomized(classifier, layers)
    for name, tensor in classifier.state_dict().items():
        assert torch.equal(tensor, before[name])
    for name, weights in copy.network.named_parameters():
        trained = classifier.network.get_parameter(name)
        assert torch.equal(weights.flatten().sort().values, trained.flatten().sort().values)
        assert trained.unique().numel() == 1 or not torch.equal(weights, trained)


def test_only_the_layers_that_are_named_are_random_and_a_seed_decides(classifier):
    layers = layers_with_weights(classifier.network)
    first, again, other = (randomized(classifier, layers[:1], seed=seed) for seed in (0, 0, 1))
    changed = [
        name
        for name, weights in first.network.named_parameters()
        if not torch.equal(weights, classifier.network.get_parameter(name))
    ]
    assert changed
    assert all(name.startswith(layers[0]) for name in changed)
    for name in changed:
        assert torch.equal(first.network.get_parameter(name), again.network.get_parameter(name))
        assert not torch.equal(first.network.get_parameter(name), other.network.get_parameter(name))


def test_complexity_is_the_entropy_of_a_hundred_bins():
    even = torch.arange(400.0).view(1, 20, 20)
    plain = torch.full((1, 20, 20), 3.0)
    halves = torch.zeros(1, 20, 20)
    halves[:, :10] = -5
    found = complexity(torch.cat([even, 1000 * even - 7, plain, halves]))
    assert found.tolist() == pytest.approx([math.log(100)] * 2 + [0, math.log(2)], abs=1e-3)


def test_rank_correlation_is_spearmans_also_with_equal_values():
    draws = torch.Generator().manual_seed(3)
    first, second = torch.randint(0, 6, (2, 8, 40), generator=draws)
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
    assert rank_correlation(first, second).tolist() == pytest.approx(expected)


def test_a_map_of_one_value_agrees_with_another_such_map_only():
    plain, varied = torch.zeros(1, 9), torch.arange(9.0)[None]
    assert rank_correlation(plain, plain + 1).item() == 1
    assert rank_correlation(plain, varied).item() == 0
