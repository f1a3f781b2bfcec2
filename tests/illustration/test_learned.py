"""A learned kernel on what comes to its layer gives what the network itself gives there."""

import pytest
import torch
from torch import nn

from tellapart.errors import ConfigError, RunError, ShapeError
from tellapart.illustration.learned import LayerAtWork, layer_at_work, learned_scenes
from tellapart.models.classifier import Classifier
from tellapart.models.registry import seeded_network
from tellapart.models.spec import ClassifierSpec, Normalization

PICTURE = torch.randint(
    256, (1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def classifier(network):
    return Classifier(
        seeded_network(network, (1, 28, 28), 10, {}, 0),
        ClassifierSpec(
            network=network,
            arguments={},
            class_names=tuple("0123456789"),
            image_shape=(1, 28, 28),
            normalization=Normalization((0.1307,), (0.3081,)),
        ),
    ).eval()


@pytest.mark.parametrize(
    ("network", "layer", "views"),
    [
        ("lenet", "conv1", "plain"),
        ("lenet", "conv2", "plain"),
        ("two-conv", "conv2", "plain"),
        ("small-residual", "stem.conv", "shifted"),
    ],
)
def test_a_scene_is_what_the_network_computes(network, layer, views):
    known = classifier(network)
    known = known.with_views(views)
    given = []
    known.network.get_submodule(layer).register_forward_hook(lambda *a: given.append(a[2][0]))
    with torch.no_grad():
        known.network(known.normalize(PICTURE[None]))
    scenes = learned_scenes(layer_at_work(known, PICTURE, layer, "run"), 3)
    assert scenes[0].name == f"{layer}:3"
    for scene in scenes:
        expected = given[0][int(scene.name.rsplit(":")[-1])]
        torch.testing.assert_close(scene.output, expected, atol=1e-4, rtol=1e-4)
        bias = scene.numbers["bias"] or 0.0
        torch.testing.assert_close(scene.numbers["partial"].sum(0) + bias, scene.output)
        summed = scene.numbers["products"].sum((3, 4))
        torch.testing.assert_close(summed, scene.numbers["partial"], atol=1e-4, rtol=1e-4)


def test_of_many_channels_the_strongest_are_shown_and_the_rest_is_one_number():
    layer = nn.Conv2d(40, 2, 3, bias=False)
    work = LayerAtWork("conv", layer, torch.randn(40, 60, 31))
    scene = learned_scenes(work)[0]
    assert len(scene.channel_names) == 32
    assert scene.field.values.shape == (32, 28, 28)
    whole = scene.numbers["partial"].sum(0) + scene.numbers["rest"]
    torch.testing.assert_close(whole, scene.output, atol=1e-5, rtol=1e-5)
    assert "middle 28x28 of 60x31 pixels" in scene.meaning["en"]


def test_a_kernel_of_a_group_sees_its_own_channels():
    layer = nn.Conv2d(4, 4, 3, groups=2)
    arrived = torch.randn(4, 6, 6)
    scenes = learned_scenes(LayerAtWork("conv", layer, arrived))
    with torch.no_grad():
        expected = layer(arrived[None])[0]
    for index, scene in enumerate(scenes):
        torch.testing.assert_close(scene.output, expected[index], atol=1e-5, rtol=1e-5)
    assert scenes[3].channel_names == ("2", "3")


def test_what_the_network_has_not_is_refused():
    known = classifier("lenet")
    with pytest.raises(RunError, match="run r has no layer 'conv9'; its convolutions: conv1, co"):
        layer_at_work(known, PICTURE, "conv9", "r")
    with pytest.raises(ConfigError, match="layer 'relu1' of r is no convolution but ReLU; its co"):
        layer_at_work(known, PICTURE, "relu1", "r")
    work = layer_at_work(known, PICTURE, "conv1", "r")
    with pytest.raises(RunError, match="layer 'conv1' has kernels 0 to 5, got 6"):
        learned_scenes(work, 6)
    with pytest.raises(ShapeError, match="must fit the padded image"):
        learned_scenes(work, padding=0, dilation=9)
