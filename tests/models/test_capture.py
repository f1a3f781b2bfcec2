"""What is captured is what went through the network, and nothing stays behind."""

import doctest

import pytest
import torch
from torch import nn

from tellapart.errors import ConfigError
from tellapart.models import capture
from tellapart.models.blocks import named
from tellapart.models.capture import captured


def make_network():
    torch.manual_seed(0)
    return named(conv=nn.Conv2d(1, 2, 3), relu=nn.ReLU(), flatten=nn.Flatten(), out=nn.Linear(8, 3))


IMAGES = torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def hooks_of(network):
    return [h for m in network.modules() for h in (*m._forward_hooks, *m._forward_pre_hooks)]


def test_outputs_of_several_layers_by_name_in_the_order_in_which_they_run():
    network = make_network()
    with captured(network, ["out", "conv"]) as seen:
        logits = network(IMAGES)
    assert [activation.name for activation in seen] == ["conv", "out"]
    assert seen["out"][0] is logits
    assert torch.equal(seen["conv"][0], network.conv(IMAGES))
    assert seen["relu"] == []


def test_inputs_of_a_layer_given_as_itself_once_per_pass():
    network = make_network()
    with captured(network, [network.out], inputs=True) as seen:
        network(IMAGES)
        network(IMAGES[:2])
    assert [tensor.shape for tensor in seen["out"]] == [(5, 8), (2, 8)]
    assert torch.equal(seen["out"][0], network.relu(network.conv(IMAGES)).flatten(1))


def test_without_names_every_layer_is_seen_the_network_last():
    network = make_network()
    with captured(network) as seen:
        network(IMAGES)
    assert [a.name for a in seen] == ["conv", "relu", "flatten", "out", ""]
    assert [a.layer for a in seen] == [*network, network]


def test_a_layer_that_runs_twice_is_seen_twice():
    layer = nn.Linear(3, 3)
    with captured(nn.Sequential(layer, nn.ReLU(), layer), [layer]) as seen:
        nn.Sequential(layer, nn.ReLU(), layer)(torch.ones(1, 3))
    assert len(seen) == 2


def test_gradients_reach_what_was_captured():
    network = make_network()
    with captured(network, ["conv"], gradients=True) as seen:
        network(IMAGES)[:, 1].sum().backward()
    (maps,) = seen["conv"]
    again = network.conv(IMAGES).detach().requires_grad_()
    network.out(network.flatten(network.relu(again)))[:, 1].sum().backward()
    torch.testing.assert_close(maps.grad, again.grad)


def test_gradients_of_a_pass_without_a_graph_are_no_error():
    network = make_network()
    with torch.no_grad(), captured(network, ["conv"], gradients=True) as seen:
        network(IMAGES)
    assert seen["conv"][0].grad is None


def test_what_is_kept_may_be_a_copy_that_is_not_changed_later():
    network = named(conv=nn.Conv2d(1, 2, 3), relu=nn.ReLU(inplace=True))
    with torch.no_grad():
        with captured(network, ["conv"], keep=torch.clone) as seen:
            network(IMAGES)
        assert torch.equal(seen["conv"][0], network.conv(IMAGES))
        assert (seen["conv"][0] < 0).any()


def test_no_hook_stays_also_after_an_error():
    network = make_network()
    with captured(network):
        assert hooks_of(network)
        network(IMAGES)
    assert not hooks_of(network)
    with pytest.raises(RuntimeError), captured(network):
        network(torch.ones(1, 3, 4, 4))
    assert not hooks_of(network)
    with captured(network, ["conv"]) as seen:
        pass
    network(IMAGES)
    assert len(seen) == 0


@pytest.mark.parametrize("layer", ["conv9", nn.Linear(1, 1)])
def test_an_unknown_layer_is_refused_with_those_that_there_are(layer):
    network = make_network()
    with pytest.raises(ConfigError, match="conv, relu, flatten, out"), captured(network, [layer]):
        pass
    assert not hooks_of(network)


class Attends(nn.Module):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, features):
        return self.output(features)


def test_of_several_outputs_the_first_tensor_is_seen_and_others_are_refused():
    both = Attends(lambda x: (x + 1, x))
    with captured(both, [both]) as seen:
        both(torch.zeros(2))
    assert seen[""][0].tolist() == [1, 1]
    table = Attends(lambda x: {"logits": x})
    with pytest.raises(ConfigError, match="dict"), captured(table):
        table(torch.zeros(2))


def test_the_example_runs():
    assert doctest.testmod(capture, extraglobs={"torch": torch, "nn": nn}).failed == 0
