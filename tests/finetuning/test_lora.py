"""LoRA begins as nothing, changes a weight by no more than its rank, and leaves no trace merged."""

import copy

import pytest
import torch
from torch import nn

from tellapart.errors import ConfigError
from tellapart.finetuning.lora import add_lora, largest_rank, lora_parameters, merge_lora
from tellapart.models.blocks import named
from tellapart.models.from_scratch import from_scratch
from tellapart.models.registry import NETWORKS, seeded_network

SHAPE = (1, 32, 32)


def network(name="lenet", shape=SHAPE):
    return seeded_network(name, shape, 3, {}, 1).eval()


def with_statistics(built, images):
    """Norms normalise by these images; else a signal fades on its way through a deep network."""
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            module.train()
    with torch.no_grad():
        built(images)
    return built.eval()


def stir(built):
    """Gives the changes numbers, as training would."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in lora_parameters(built):
            weight.copy_(torch.randn(weight.shape, generator=generator) / 4)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_fresh_change_changes_nothing_and_a_merged_one_stays(shape_for, name):
    shape = shape_for(name, SHAPE)
    images = torch.randn(4, *shape)
    plain, built = (with_statistics(network(name, shape), images) for _ in range(2))
    add_lora(built, min(2, largest_rank(built)), seed=0)
    assert torch.equal(built(images), plain(images))
    stir(built)
    changed = built(images)
    assert not torch.allclose(changed, plain(images), atol=1e-3)
    merge_lora(built)
    torch.testing.assert_close(built(images), changed)
    assert built.state_dict().keys() == plain.state_dict().keys()
    assert not list(lora_parameters(built))
    assert all(type(ours) is type(theirs) for ours, theirs in zip(built, plain, strict=True))


def test_the_change_has_its_rank_and_the_output_layer_none():
    plain, built = network(), network()
    add_lora(built, 3, seed=0)
    stir(built)
    merge_lora(built)
    for name, ours in built.named_parameters():
        theirs = plain.get_parameter(name)
        if ours.ndim == 1 or name.startswith("output."):
            assert torch.equal(ours, theirs)
        else:
            assert torch.linalg.matrix_rank((ours - theirs).flatten(1).detach(), rtol=1e-4) == 3


def test_only_the_changes_and_what_is_no_layer_weight_ask_for_gradients():
    built = network()
    add_lora(built, 2, seed=0)
    built(torch.randn(4, *SHAPE)).sum().backward()
    for name, weight in built.named_parameters():
        assert (weight.grad is None) == name.endswith("original"), name


def test_a_network_from_scratch_takes_it_too():
    plain, scratch = network(), from_scratch(network())
    for built in (plain, scratch):
        add_lora(built, 2, seed=0)
        stir(built)
    images = torch.randn(4, *SHAPE)
    torch.testing.assert_close(scratch(images), plain(images), rtol=1e-4, atol=1e-4)


def test_a_copy_is_a_network_of_its_own():
    built = network()
    add_lora(built, 2, seed=0)
    twin = copy.deepcopy(built)
    stir(twin)
    images = torch.randn(4, *SHAPE)
    assert not torch.allclose(twin(images), built(images))


def test_the_seed_decides_the_changes():
    def first(seed):
        built = network()
        add_lora(built, 2, seed=seed)
        return next(lora_parameters(built))

    assert torch.equal(first(3), first(3))
    assert not torch.equal(first(3), first(4))


def test_the_largest_rank_is_that_of_the_smallest_layer():
    assert largest_rank(network()) == 6  # lenet's first convolution: 6 kernels of 25
    add_lora(network(), 6, seed=0)


@pytest.mark.parametrize("rank", [0, 7])
def test_a_rank_that_fits_no_layer_is_refused(rank):
    with pytest.raises(ConfigError) as raised:
        add_lora(network(), rank, seed=0)
    assert str(raised.value) == (
        f"lora_rank must be from 1 to that of the smallest layer, 6 of 'conv1' (6, 1, 5, 5), "
        f"got {rank}"
    )


def test_a_network_that_is_all_output_is_refused():
    with pytest.raises(ConfigError, match="LoRA needs a convolution or linear layer before"):
        add_lora(named(flatten=nn.Flatten(), output=nn.Linear(256, 3)), 1, seed=0)
