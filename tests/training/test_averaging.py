"""The average is the recurrence that its docstring writes, over weights and statistics alike."""

import pytest
import torch

from tellapart.models.registry import seeded_network
from tellapart.training.averaging import WeightAverage


def make_network(seed=0):
    return seeded_network("small-residual", (1, 8, 8), 3, {"width": 2}, seed)


def learn(network, seed):
    """A step that moves weights and statistics."""
    generator = torch.Generator().manual_seed(seed)
    network(torch.rand(4, 1, 8, 8, generator=generator)).square().sum().backward()
    with torch.no_grad():
        for weight in network.parameters():
            weight -= 0.1 * weight.grad
    network.zero_grad()


@pytest.mark.parametrize("decay", [0.15, 0.9])
def test_the_average_is_the_recurrence(decay):
    network = make_network().train()
    average = WeightAverage(network, decay)
    wanted = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for step in range(1, 6):
        learn(network, step)
        average.update(network)
        kept = min(decay, (1 + step) / (10 + step))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                wanted[name] = kept * wanted[name] + (1 - kept) * tensor
            else:
                wanted[name] = tensor.clone()
    held = average.network.state_dict()
    for name, tensor in wanted.items():
        assert torch.allclose(held[name], tensor, rtol=1e-5, atol=1e-6), name
    assert held["stem.norm.num_batches_tracked"] == 5


def test_the_average_is_a_network_of_its_own_that_does_not_learn():
    network = make_network().train()
    average = WeightAverage(network, 0.9)
    before = {name: tensor.clone() for name, tensor in average.network.state_dict().items()}
    learn(network, 1)
    assert all(torch.equal(before[n], t) for n, t in average.network.state_dict().items())
    assert not any(weight.requires_grad for weight in average.network.parameters())
    assert not any(module.training for module in average.network.modules())
    assert all(module.training for module in network.modules())


def test_loading_weights_into_the_average_moves_what_is_averaged():
    network = make_network()
    average = WeightAverage(network, 0.9)
    average.network.load_state_dict(make_network(seed=1).state_dict())
    average.update(network)
    kept = 2 / 11
    wanted = kept * make_network(seed=1).output.weight + (1 - kept) * network.output.weight
    assert torch.allclose(average.network.output.weight, wanted)
