"""Every network takes the pictures it was built for, layer by layer as its article says."""

import pytest
import torch
from torch import nn

from tellapart.config import load_recipe
from tellapart.errors import ConfigError
from tellapart.models.zoo import NETWORKS, build_network, count_parameters, seeded_network

DIGITS = (1, 28, 28)

# (layer, out channels or features, kernel or probability) in the order of the forward pass.
ARTICLES = {
    "single-conv": [
        ("Conv2d", 8, 3),
        ("ReLU",),
        ("MaxPool2d", 2),
        ("Flatten",),
        ("Linear", 1352, 10),
    ],
    "two-conv": [
        ("Conv2d", 32, 3),
        ("ReLU",),
        ("Conv2d", 64, 3),
        ("ReLU",),
        ("MaxPool2d", 2),
        ("Flatten",),
        ("Linear", 9216, 128),
        ("ReLU",),
        ("Linear", 128, 10),
    ],
    "dropout": [
        ("Conv2d", 32, 3),
        ("ReLU",),
        ("Conv2d", 64, 3),
        ("MaxPool2d", 2),
        ("Dropout", 0.25),
        ("Flatten",),
        ("Linear", 9216, 128),
        ("ReLU",),
        ("Dropout", 0.5),
        ("Linear", 128, 10),
    ],
    "lenet": [
        ("Conv2d", 6, 5),
        ("ReLU",),
        ("MaxPool2d", 2),
        ("Conv2d", 16, 5),
        ("ReLU",),
        ("MaxPool2d", 2),
        ("Flatten",),
        ("Linear", 400, 120),
        ("ReLU",),
        ("Linear", 120, 84),
        ("ReLU",),
        ("Linear", 84, 10),
    ],
    "two-conv-5x5": [
        ("Conv2d", 10, 5),
        ("ReLU",),
        ("MaxPool2d", 2),
        ("Conv2d", 20, 5),
        ("ReLU",),
        ("MaxPool2d", 2),
        ("Flatten",),
        ("Linear", 320, 50),
        ("Linear", 50, 10),
    ],
}
KINDS = (nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Dropout2d, nn.Dropout, nn.Flatten, nn.Linear)


def described(layer):
    kind = next(kind for kind in KINDS if isinstance(layer, kind))
    numbers = {
        nn.Conv2d: lambda: (layer.out_channels, *set(layer.kernel_size)),
        nn.MaxPool2d: lambda: (layer.kernel_size,),
        nn.Dropout: lambda: (layer.p,),
        nn.Dropout2d: lambda: (layer.p,),
        nn.Linear: lambda: (layer.in_features, layer.out_features),
    }.get(kind, tuple)()
    return (kind.__name__, *numbers)


def leaves_in_order(network, shape):
    """The leaf modules in the order in which a forward pass calls them."""
    called = []
    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda module, *_: called.append(module))
    network.eval()(torch.zeros(1, *shape))
    return called


def refusal(name, shape=DIGITS, arguments=None):
    with pytest.raises(ConfigError) as caught:
        build_network(name, shape, 10, arguments or {})
    return str(caught.value)


@pytest.mark.parametrize("shape", [DIGITS, (3, 32, 32), (3, 28, 40)], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_logits_and_learns_through_every_weight(name, shape):
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
def test_the_last_layer_is_a_linear_one_called_output(name):
    network = build_network(name, DIGITS, 10, {})
    assert list(network._modules)[-1] == "output"
    assert isinstance(network.output, nn.Linear)
    assert network.output.out_features == 10


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_used_exactly_once(name):
    """So that a hook on a layer sees one thing, and quantisation can fuse it with its neighbour."""
    network = build_network(name, DIGITS, 10, {})
    called = leaves_in_order(network, DIGITS)
    leaves = [module for module in network.modules() if not list(module.children())]
    assert sorted(map(id, called)) == sorted(map(id, leaves))


@pytest.mark.parametrize("name", ARTICLES)
def test_layers_stand_in_the_order_of_the_articles(name):
    network = build_network(name, DIGITS, 10, {})
    assert [described(layer) for layer in leaves_in_order(network, DIGITS)] == ARTICLES[name]


def test_lenet_pads_its_pictures_to_32x32():
    network = build_network("lenet", DIGITS, 10, {})
    assert network.conv1.padding == (2, 2)
    assert network.conv2.padding == (0, 0)


def test_the_second_dropout_article_has_a_relu_more_and_drops_channels():
    arguments = load_recipe("tutorial-dropout-adam").model.arguments
    layers = [
        described(layer)
        for layer in leaves_in_order(build_network("dropout", DIGITS, 10, arguments), DIGITS)
    ]
    assert layers[2:6] == [("Conv2d", 64, 3), ("ReLU",), ("MaxPool2d", 2), ("Dropout2d", 0.25)]
    assert layers[6:] == ARTICLES["dropout"][5:]


def test_channel_dropout_drops_whole_channels():
    network = build_network("dropout", DIGITS, 10, {"channels": True}).train()
    seen = network.dropout1(torch.ones(16, 64, 4, 4))
    per_channel = seen.flatten(2)
    assert (per_channel == per_channel[:, :, :1]).all()
    assert 0 < (per_channel == 0).float().mean() < 1


def test_the_width_widens():
    thin = build_network("small-residual", DIGITS, 10, {"width": 4})
    wide = build_network("small-residual", DIGITS, 10, {"width": 8})
    assert thin.output.in_features == 8
    assert count_parameters(wide) > 3 * count_parameters(thin)


def test_the_cost_that_the_docstring_names():
    network = build_network("small-residual", DIGITS, 10, {})
    assert round(count_parameters(network) / 1e6, 2) == 0.17


@pytest.mark.parametrize(
    ("name", "weights", "channels", "pooled", "padded", "smallest"),
    [
        ("small-vgg", 238_762, [32, 64, 64, 112, 112], ["conv1", "conv3"], [4], 28),
        ("tiny-vgg", 9_644, [10, 12, 14, 16, 16, 16], ["conv2", "conv4"], [5], 28),
        ("padded-vgg", 240_466, [24, 48, 48, 96, 96, 96], ["conv2", "conv4"], range(1, 7), 8),
    ],
)
def test_a_vgg_is_what_its_docstring_says(name, weights, channels, pooled, padded, smallest):
    network = build_network(name, DIGITS, 10, {})
    assert count_parameters(network) == weights
    built = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in built] == channels
    assert [layer.kernel_size[0] for layer in built[1:]] == [3] * (len(built) - 1)
    assert [n for n, layer in enumerate(built, start=1) if layer.padding[0]] == list(padded)
    blocks = [part for part in network.named_children() if isinstance(part[1], nn.Sequential)]
    assert [part for part, block in blocks if hasattr(block, "pool")] == pooled
    message = f"it needs at least {smallest} pixels each way"
    assert refusal(name, (1, smallest - 1, 28)).endswith(message)


def test_frozen_weights_are_not_counted():
    network = build_network("single-conv", DIGITS, 10, {})
    network.conv1.requires_grad_(False)
    assert count_parameters(network) == 13_610 - 8 * 9 - 8


def test_a_patch_has_no_more_waves_than_places():
    assert build_network("quick", DIGITS, 10, {"waves": 25}).conv1.out_channels == 50
    assert refusal("quick", arguments={"waves": 26}).endswith("a patch of 5x5 has 25 waves")


def test_an_unknown_network_gets_the_nearest_name_or_all():
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
def test_a_wrong_argument_is_refused(name, arguments, message):
    assert message in refusal(name, arguments=arguments)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (28, 3), (3, 28)], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_pictures_too_small_are_refused_before_training(name, size):
    told = refusal(name, (1, *size))
    assert told.startswith(
        f"network {name!r} cannot take pictures of (channels, height, width) (1, {size[0]}, "
    )
    assert "\n" not in told


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("side", [*range(1, 20), 27, 28])
def test_a_network_that_is_built_can_train_on_a_last_batch_of_one(name, side):
    try:
        network = build_network(name, (1, side, side), 3, {})
    except ConfigError:
        assert side < {"small-vgg": 28, "tiny-vgg": 28}.get(name, 16)
        return
    network.train()(torch.rand(1, 1, side, side)).sum().backward()


def test_weights_come_from_the_seed_and_leave_the_global_generator():
    before = torch.get_rng_state()
    first, same, other = (seeded_network("lenet", DIGITS, 10, {}, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.conv1.weight, same.conv1.weight)
    assert torch.equal(first.output.bias, same.output.bias)
    assert not torch.equal(first.conv1.weight, other.conv1.weight)


def test_building_leaves_a_network_in_training_mode():
    for name in NETWORKS:
        assert all(module.training for module in build_network(name, DIGITS, 10, {}).modules())
