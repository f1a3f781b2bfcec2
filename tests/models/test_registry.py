"""Every network takes the images it was built for, and refuses others."""

import pytest
import torch
from torch import nn

from tellapart.errors import ConfigError
from tellapart.models.registry import NETWORKS, build_network, count_parameters, seeded_network

DIGITS = (1, 28, 28)


@pytest.mark.parametrize("shape", [DIGITS, (3, 32, 32), (3, 28, 40)], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_logits_and_learns_through_every_weight(shape_for, name, shape):
    shape = shape_for(name, shape)
    network = build_network(name, shape, 7, {})
    logits = network(torch.rand(4, *shape))
    assert logits.shape == (4, 7)
    assert logits.dtype == torch.float32
    logits.square().sum().backward()
    fixed = {"conv1.weight"} if (name, shape[0]) == ("quick", 1) else set()
    for weight_name, weight in network.named_parameters():
        if weight_name in fixed:
            assert not weight.requires_grad
            continue
        assert weight.grad is not None, weight_name
        assert weight.grad.abs().sum() > 0, weight_name


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_layer_is_a_linear_one_called_output(shape_for, name):
    network = build_network(name, shape_for(name), 10, {})
    assert list(network._modules)[-1] == "output"
    assert isinstance(network.output, nn.Linear)
    assert network.output.out_features == 10


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_used_exactly_once(shape_for, name, leaves_in_order):
    """So that a hook on a layer sees one thing, and quantisation can fuse it with its neighbour."""
    shape = shape_for(name)
    network = build_network(name, shape, 10, {})
    called = leaves_in_order(network, shape)
    leaves = [module for module in network.modules() if not list(module.children())]
    assert sorted(map(id, called)) == sorted(map(id, leaves))


def test_frozen_weights_are_not_counted():
    network = build_network("single-conv", DIGITS, 10, {})
    network.conv1.requires_grad_(False)
    assert count_parameters(network) == 13_610 - 8 * 9 - 8


def test_an_unknown_network_gets_the_nearest_name_or_all(refusal):
    assert refusal("lenett") == "unknown network 'lenett'; did you mean 'lenet'?"
    assert refusal("qqq") == "unknown network 'qqq'; known: " + ", ".join(NETWORKS)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("lenet", {"width": 3}, "network 'lenet' has no argument 'width'; it takes: none"),
        (
            "dropout",
            {"channel": True},
            "has no argument 'channel'; it takes: second_relu, channels",
        ),
        ("small-residual", {"shape": 3}, "has no argument 'shape'; it takes: width"),
        ("small-residual", {"num_classes": 3}, "has no argument 'num_classes'"),
        ("small-residual", {"width": 0}, "must be a whole number from 1 to 4096, got 0"),
        ("small-residual", {"width": 4097}, "must be a whole number from 1 to 4096, got 4097"),
        ("small-residual", {"width": True}, "must be a whole number from 1 to 4096, got True"),
        ("small-residual", {"width": 8.0}, "must be a whole number from 1 to 4096, got 8.0"),
        ("small-residual", {"width": "8"}, "must be a whole number from 1 to 4096, got '8'"),
        ("small-residual", {"width": [8]}, "must be a whole number from 1 to 4096, got [8]"),
        ("dropout", {"channels": 1}, "'channels' of 'dropout' must be true or false, got 1"),
    ],
)
def test_a_wrong_argument_is_refused(name, arguments, message, refusal):
    assert message in refusal(name, arguments=arguments)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (28, 3), (3, 28)], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_images_too_small_are_refused_before_training(name, size, refusal):
    told = refusal(name, (1, *size))
    assert told.startswith(
        f"network {name!r} cannot take images of (channels, height, width) (1, {size[0]}, "
    )
    assert "\n" not in told


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("side", [*range(1, 20), 27, 28, 33])
def test_a_network_that_is_built_can_train_on_a_last_batch_of_one(name, side):
    try:
        network = build_network(name, (1, side, side), 3, {})
    except ConfigError:
        smallest = {"small-vgg": 28, "tiny-vgg": 28, "efficientnet-lite0": 33}
        assert side < smallest.get(name, 16)
        return
    network.train()(torch.rand(1, 1, side, side)).sum().backward()


def test_weights_come_from_the_seed_and_leave_the_global_generator():
    before = torch.get_rng_state()
    first, same, other = (seeded_network("lenet", DIGITS, 10, {}, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.conv1.weight, same.conv1.weight)
    assert torch.equal(first.output.bias, same.output.bias)
    assert not torch.equal(first.conv1.weight, other.conv1.weight)


def test_building_leaves_a_network_in_training_mode(shape_for):
    for name in NETWORKS:
        network = build_network(name, shape_for(name), 10, {})
        assert all(module.training for module in network.modules())
