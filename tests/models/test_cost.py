"""Multiply-adds, counted by hand and by the function."""

import pytest
import torch
from torch import nn

from tellapart.errors import ConfigError
from tellapart.models.blocks import named
from tellapart.models.cost import count_multiply_adds, layer_multiply_adds
from tellapart.models.from_scratch import from_scratch
from tellapart.models.registry import NETWORKS, build_network, count_parameters

DIGITS = (1, 28, 28)


def total(name, arguments=None, shape=DIGITS):
    return sum(count_multiply_adds(build_network(name, shape, 10, arguments or {}), shape).values())


def test_lenet_layer_by_layer():
    counts = count_multiply_adds(build_network("lenet", DIGITS, 10, {}), DIGITS)
    assert counts == {
        "conv1": 28 * 28 * 6 * 25,
        "conv2": 10 * 10 * 16 * 6 * 25,
        "hidden1": 400 * 120,
        "hidden2": 120 * 84,
        "output": 84 * 10,
    }
    assert list(counts) == ["conv1", "conv2", "hidden1", "hidden2", "output"]


def test_stride_groups_and_rows_of_features_count():
    convolution = nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=4)
    assert count_multiply_adds(convolution, (4, 9, 9)) == {"": 5 * 5 * 8 * 9}
    assert count_multiply_adds(nn.Linear(9, 2), (4, 9, 9)) == {"": 4 * 9 * 9 * 2}


def test_a_layer_that_is_used_twice_costs_twice():
    layer = nn.Conv2d(1, 1, 1)
    assert count_multiply_adds(nn.Sequential(layer, nn.ReLU(), layer), DIGITS) == {"0": 2 * 784}


@pytest.mark.parametrize("name", NETWORKS)
def test_on_operations_from_scratch_a_network_costs_the_same(shape_for, name):
    shape = shape_for(name, (3, 32, 48))
    network = build_network(name, shape, 10, {})
    assert count_multiply_adds(from_scratch(network), shape) == count_multiply_adds(network, shape)


def test_counting_leaves_no_trace():
    network = build_network("small-residual", DIGITS, 10, {})
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count_multiply_adds(network, DIGITS)
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())


def test_a_kernel_of_an_unknown_kind_is_refused_and_leaves_no_hooks():
    network = named(conv=nn.Conv2d(1, 2, 3), up=nn.ConvTranspose2d(2, 1, 3))
    with pytest.raises(ConfigError) as caught:
        count_multiply_adds(network, DIGITS)
    assert str(caught.value) == (
        "the multiply-adds of layer 'up', a ConvTranspose2d, cannot be counted; "
        "known: Conv2d, Linear, DynamicConvolution"
    )
    assert not network.conv._forward_hooks


def test_one_layer_alone():
    assert layer_multiply_adds(nn.Linear(5, 3), (3,)) == 15
    assert layer_multiply_adds(nn.BatchNorm2d(3), (3, 8, 8)) == 0


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [
        ("small-residual", 0.17, 21.9),
        ("small-vgg", 0.24, 6.2),
        ("padded-vgg", 0.24, 28.6),
        ("tiny-vgg", 0.01, 1.0),
        ("separable", 0.17, 21.5),
        ("ghost", 0.17, 22.0),
        ("dynamic", 0.67, 22.6),
        ("squeeze-excite", 0.17, 21.9),
    ],
)
def test_the_costs_that_docstrings_name(name, parameters, multiply_adds):
    network = build_network(name, DIGITS, 10, {})
    assert round(count_parameters(network) / 1e6, 2) == parameters
    assert round(total(name) / 1e6, 1) == multiply_adds
    doc = NETWORKS[name].__doc__
    assert f"{parameters} million parameters, {multiply_adds} million multiply-adds" in doc


def test_at_one_width_the_cheap_blocks_are_cheap():
    plain = total("small-residual", {"width": 32})
    assert 7 < plain / total("separable", {"width": 32}) < 8
    assert 1.9 < plain / total("ghost", {"width": 32}) < 2


@pytest.mark.parametrize("name", ["separable", "ghost", "dynamic", "squeeze-excite"])
@pytest.mark.parametrize("width", [1, 5])
def test_a_network_of_any_width_learns(name, width):
    torch.manual_seed(0)
    network = build_network(name, (3, 8, 9), 4, {"width": width})
    pictures, labels = torch.randn(8, 3, 8, 9), torch.arange(8) % 4
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        loss = nn.functional.cross_entropy(network(pictures), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    if width > 1:
        assert losses[-1] < 0.2
