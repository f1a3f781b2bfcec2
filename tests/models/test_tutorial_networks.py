"""The tutorials' networks are, layer by layer, what their articles say."""

import pytest
import torch
from torch import nn

from tellapart.config import load_recipe
from tellapart.models.registry import build_network

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


@pytest.mark.parametrize("name", ARTICLES)
def test_layers_stand_in_the_order_of_the_articles(name, leaves_in_order):
    network = build_network(name, DIGITS, 10, {})
    assert [described(layer) for layer in leaves_in_order(network, DIGITS)] == ARTICLES[name]


def test_lenet_pads_its_images_to_32x32():
    network = build_network("lenet", DIGITS, 10, {})
    assert network.conv1.padding == (2, 2)
    assert network.conv2.padding == (0, 0)


def test_the_second_dropout_article_has_a_relu_more_and_drops_channels(leaves_in_order):
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
