"""The blocks compute what torch's own layers compute; only their speed is different."""

import pytest
import torch
from torch import nn

from tellapart.models.blocks import (
    Dropout,
    Flatten,
    Residual,
    conv_norm_relu,
    features_shape,
    named,
)


def test_named_layers_keep_their_names_and_order():
    row = named(second=nn.ReLU(), first=nn.Flatten())
    assert list(row._modules) == ["second", "first"]


def test_the_shape_of_features_is_measured_without_a_trace():
    layers = named(conv=nn.Conv2d(2, 5, 3), norm=nn.BatchNorm2d(5), pool=nn.MaxPool2d(2))
    before = layers.norm.running_mean.clone(), torch.get_rng_state()
    assert features_shape(layers, (2, 9, 11)) == (5, 3, 4)
    assert torch.equal(layers.norm.running_mean, before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert layers.training
    assert features_shape(layers.eval(), (2, 9, 11)) == (5, 3, 4)
    assert not layers.training
    assert features_shape(layers.to("meta"), (2, 9000, 11)) == (5, 4499, 4)


@pytest.mark.parametrize("stride", [1, 2])
def test_conv_norm_relu_is_the_three_in_a_row(stride):
    block = conv_norm_relu(2, 3, stride=stride).eval()
    pictures = torch.rand(2, 2, 8, 8)
    wanted = nn.functional.conv2d(pictures, block.conv.weight, stride=stride, padding=1)
    assert torch.equal(block(pictures), torch.relu(block.norm(wanted)))
    assert block.conv.bias is None
    assert block(pictures).shape[2:] == (8 // stride, 8 // stride)


def test_a_residual_block_adds_its_input_before_the_last_relu():
    block = Residual(3)
    nn.init.zeros_(block.second.norm.weight)  # the branch then adds nothing
    features = torch.randn(2, 3, 5, 5)
    assert torch.equal(block(features), torch.relu(features))
    nn.init.ones_(block.second.norm.weight)
    wanted = torch.relu(features + block.second(block.first(features)))
    assert torch.allclose(block(features), wanted)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_flatten_equals_torchs_in_values_and_gradients(layout):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(4, 3, 5, 6, generator=generator).contiguous(memory_format=layout)
    weight = torch.randn(4, 90, generator=generator)
    results = []
    for layer in (Flatten(), nn.Flatten()):
        leaf = features.clone(memory_format=torch.preserve_format).requires_grad_()
        rows = layer(leaf * 1)
        (rows * weight).sum().backward()
        results.append((rows, leaf.grad))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*results, strict=True))


def test_dropout_does_nothing_outside_training():
    features = torch.randn(3, 4)
    assert torch.equal(Dropout(0.5).eval()(features), features)
    assert torch.equal(Dropout(0.0)(features), features)
    assert torch.equal(Dropout(1.0)(features), torch.zeros(3, 4))


@pytest.mark.parametrize("probability", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("count", [1_000_000, 999_997])
def test_dropout_drops_its_share_and_keeps_the_mean(probability, count):
    torch.manual_seed(0)
    dropped = Dropout(probability)(torch.ones(count))
    share = (dropped == 0).double().mean().item()
    deviation = (probability * (1 - probability) / count) ** 0.5
    assert abs(share - probability) < 5 * deviation
    kept = dropped[dropped != 0]
    assert (kept == kept[0]).all()
    assert kept[0].item() == pytest.approx(1 / (1 - probability), rel=1e-4)


def test_dropout_treats_neighbours_and_repeats_independently():
    torch.manual_seed(0)
    first, second = (Dropout(0.5)(torch.ones(1_000_000)) for _ in range(2))
    # A word of 64 bits decides four neighbours: each lag within and across words has to be fair.
    for lag in range(1, 9):
        agree = (first[:-lag] == first[lag:]).double().mean().item()
        assert abs(agree - 0.5) < 0.0025, lag
    assert abs((first == second).double().mean().item() - 0.5) < 0.0025


def test_dropout_is_fair_in_every_place_of_a_word():
    torch.manual_seed(0)
    dropped = Dropout(0.25)(torch.ones(1_000_000)) == 0
    for place in range(4):
        assert abs(dropped[place::4].double().mean().item() - 0.25) < 0.0045


def test_the_gradient_of_dropout_passes_where_values_passed():
    features = torch.rand(50, 60, requires_grad=True)
    dropped = Dropout(0.3)(features)
    dropped.sum().backward()
    assert torch.equal(features.grad == 0, dropped == 0)
    assert torch.allclose(features.grad * features, dropped)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x,
        lambda x: x.contiguous(memory_format=torch.channels_last),
        lambda x: x[:, ::2],
        lambda x: x.transpose(0, 3),
        lambda x: x[:1].expand(3, -1, -1, -1),
        lambda x: x[:0],
    ],
    ids=["plain", "channels last", "every second", "turned", "expanded", "empty"],
)
def test_dropout_takes_features_however_they_lie(make):
    features = make(torch.rand(6, 4, 5, 7) + 1)
    dropped = Dropout(0.5)(features)
    assert dropped.shape == features.shape
    kept = dropped != 0
    assert torch.allclose(dropped[kept], features[kept] * 2)


def test_dropout_repeats_with_torchs_seed_whatever_the_layout():
    features = torch.rand(4, 8, 6, 6)
    torch.manual_seed(1)
    first = Dropout(0.5)(features)
    torch.manual_seed(1)
    assert torch.equal(Dropout(0.5)(features), first)


def test_dropout_keeps_the_type_of_its_features():
    for kind in (torch.float32, torch.float64, torch.bfloat16):
        assert Dropout(0.5)(torch.ones(100, dtype=kind)).dtype == kind
