"""The package's own networks are what their docstrings say."""

import pytest
from torch import nn

from tellapart.models.registry import build_network, count_parameters

DIGITS = (1, 28, 28)


def test_the_width_widens():
    thin = build_network("small-residual", DIGITS, 10, {"width": 4})
    wide = build_network("small-residual", DIGITS, 10, {"width": 8})
    assert thin.output.in_features == 8
    assert count_parameters(wide) > 3 * count_parameters(thin)


@pytest.mark.parametrize(
    ("name", "weights", "channels", "pooled", "padded", "smallest"),
    [
        ("small-vgg", 238_762, [32, 64, 64, 112, 112], ["conv1", "conv3"], [4], 28),
        ("tiny-vgg", 9_644, [10, 12, 14, 16, 16, 16], ["conv2", "conv4"], [5], 28),
        ("padded-vgg", 240_466, [24, 48, 48, 96, 96, 96], ["conv2", "conv4"], range(1, 7), 8),
    ],
)
def test_a_vgg_is_what_its_docstring_states(
    name, weights, channels, pooled, padded, smallest, refusal
):
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


def test_a_patch_has_no_more_waves_than_places(refusal):
    assert build_network("quick", DIGITS, 10, {"waves": 25}).conv1.out_channels == 50
    assert refusal("quick", arguments={"waves": 26}).endswith("a patch of 5x5 has 25 waves")
