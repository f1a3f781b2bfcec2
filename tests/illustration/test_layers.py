"""Every network of the zoo is traced; parameters and multiply-adds are counted by another way."""

import pytest
import torch
from torch import nn

from tellapart.illustration.layers import trace_network
from tellapart.models.blocks import named
from tellapart.models.cost import count_multiply_adds
from tellapart.models.registry import NETWORKS, count_parameters, seeded_network

PICTURE = torch.randn(1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_the_zoo_shows(shape_for, name):
    shape = shape_for(name, (3, 32, 32))
    picture = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    network = seeded_network(name, shape, 10, {}, 0)
    layers = trace_network(network, picture)
    assert sum(layer.num_parameters for layer in layers) == count_parameters(network)
    assert {layer.name for layer in layers} == {
        name
        for name, module in network.named_modules()
        if not list(module.children()) or list(module.parameters(recurse=False))
    }
    with torch.no_grad():
        torch.testing.assert_close(layers[-1].output, network.eval()(picture[None])[0])
    known = count_multiply_adds(network, shape)
    assert {layer.name: layer.multiply_adds for layer in layers if layer.multiply_adds} == known
    for layer in layers:
        assert layer.output_shape == tuple(layer.output.shape)


def test_multiply_adds_of_the_tutorials_network_by_hand():
    layers = trace_network(seeded_network("two-conv", (1, 28, 28), 10, {}, 0), PICTURE)
    found = {layer.name: layer.multiply_adds for layer in layers if layer.multiply_adds}
    assert found == {
        "conv1": 26 * 26 * 32 * 1 * 9,
        "conv2": 24 * 24 * 64 * 32 * 9,
        "hidden": 9216 * 128,
        "output": 128 * 10,
    }


def test_groups_see_only_their_own_channels():
    network = named(conv=nn.Conv2d(4, 8, 3, groups=4, stride=2, padding=1, dilation=2))
    (layer,) = trace_network(network, torch.zeros(4, 9, 9))
    assert layer.output_shape == (8, 4, 4)
    assert layer.multiply_adds == 8 * 4 * 4 * 9
    assert layer.detail == "3x3, stride 2, padding 1, dilation 2, 4 groups"


def test_a_module_that_runs_twice_is_listed_twice_and_its_weights_once():
    shared = nn.Linear(3, 3)
    layers = trace_network(nn.Sequential(shared, shared), torch.zeros(3))
    assert [layer.num_parameters for layer in layers] == [12, 0]
    assert [layer.multiply_adds for layer in layers] == [9, 9]


def test_the_mode_and_the_hooks_are_as_before():
    network = seeded_network("dropout", (1, 28, 28), 10, {}, 0).train()
    first, again = (trace_network(network, PICTURE)[-1].output for _ in range(2))
    assert torch.equal(first, again)  # dropout was off
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


def test_the_addition_of_a_residual_block_is_shown():
    layers = trace_network(seeded_network("small-residual", (1, 28, 28), 10, {}, 0), PICTURE)
    added = [layer.name for layer in layers if layer.detail.startswith("after adding")]
    assert added == ["block1.relu", "block2.relu"]
