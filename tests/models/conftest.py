"""What several tests of networks need."""

import pytest
import torch

from tellapart.errors import ConfigError
from tellapart.models.registry import build_network


@pytest.fixture
def leaves_in_order():
    """The leaf modules of a network in the order in which a forward pass calls them."""

    def leaves(network, shape):
        called = []
        for module in network.modules():
            if not list(module.children()):
                module.register_forward_hook(lambda module, *_: called.append(module))
        network.eval()(torch.zeros(1, *shape))
        return called

    return leaves


@pytest.fixture
def refusal():
    """What is said of a network that cannot be built."""

    def told(name, shape=(1, 28, 28), arguments=None):
        with pytest.raises(ConfigError) as caught:
            build_network(name, shape, 10, arguments or {})
        return str(caught.value)

    return told
