"""Every weight of a network is in one stage or in the output layer, in the images' order."""

import pytest
from torch import nn

from tellapart.errors import ConfigError
from tellapart.finetuning.stages import feature_stages, output_layer, output_name
from tellapart.models.blocks import named
from tellapart.models.from_scratch import from_scratch
from tellapart.models.registry import NETWORKS, build_network


def network(name, shape=(1, 32, 32)):
    return build_network(name, shape, 10, {})


def leaves(*modules):
    return [m for module in modules for m in module.modules() if not list(m.children())]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_is_in_one_place(shape_for, name):
    built = network(name, shape_for(name, (1, 32, 32)))
    held = [weight for stage in feature_stages(built) for weight in stage.parameters()]
    held += output_layer(built).parameters()
    assert [id(weight) for weight in held] == [id(weight) for weight in built.parameters()]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_without_weights_is_in_a_stage_too(shape_for, name):
    built = network(name, shape_for(name, (1, 32, 32)))
    held = [leaf for stage in feature_stages(built) for leaf in leaves(*stage.modules)]
    assert held == [leaf for leaf in leaves(built) if leaf is not built.output]


def test_stages_are_called_as_the_layer_with_weights():
    assert [stage.name for stage in feature_stages(network("dropout"))] == [
        "conv1",
        "conv2",
        "hidden",
    ]


def test_a_convolution_and_its_norm_are_one_stage():
    names = [stage.name for stage in feature_stages(network("small-vgg"))]
    assert names == ["conv1", "conv2", "conv3", "conv4", "conv5"]


def test_a_network_from_scratch_has_the_same_stages():
    built = network("lenet")
    names = [stage.name for stage in feature_stages(from_scratch(built))]
    assert names == [stage.name for stage in feature_stages(built)]


def test_layers_before_the_first_weight_belong_to_the_first_stage():
    pool, conv = nn.MaxPool2d(2), nn.Conv2d(1, 2, 3)
    [stage] = feature_stages(named(pool=pool, conv=conv, output=nn.Linear(2, 2)))
    assert stage.modules == [pool, conv]


def test_a_backbone_is_opened_and_its_containers_too():
    class Backbone(nn.Module):
        def __init__(self):
            super().__init__()
            self.position = nn.Parameter(nn.Conv2d(1, 1, 1).weight.detach())
            self.stem = nn.Conv2d(1, 2, 3)
            self.blocks = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3))

    backbone = Backbone()
    stages = feature_stages(named(backbone=backbone, output=nn.Linear(2, 2)))
    assert [stage.name for stage in stages] == [
        "backbone.stem",
        "backbone.blocks.0",
        "backbone.blocks.1",
    ]
    assert stages[0].loose == [backbone.position]


@pytest.mark.parametrize(
    "built",
    [
        named(conv=nn.Conv2d(1, 2, 3), last=nn.Conv2d(2, 2, 1)),
        named(conv=nn.Conv2d(1, 2, 3), output=nn.ReLU()),
        named(conv=nn.Conv2d(1, 2, 3), output=nn.Conv2d(2, 2, 1)),
    ],
    ids=["none", "no weight", "no matrix"],
)
def test_a_network_without_an_output_layer_is_refused(built):
    with pytest.raises(ConfigError, match=r"a linear one called 'output' .*; this one has conv, "):
        feature_stages(built)


def test_of_a_network_without_an_output_the_last_linear_layer_is_it():
    linear, head = nn.Linear(8, 4), nn.Linear(4, 3)
    built = named(
        conv=nn.Conv2d(1, 2, 3), classifier=nn.Sequential(nn.Flatten(), linear, nn.ReLU(), head)
    )
    assert output_layer(built) is head
    assert output_name(built) == "classifier.3"
    stages = feature_stages(built)
    assert [stage.name for stage in stages] == ["conv", "classifier.1"]
    held = [weight for stage in stages for weight in stage.parameters()]
    assert not {id(weight) for weight in held} & {id(weight) for weight in head.parameters()}
    assert len(held) == 4
