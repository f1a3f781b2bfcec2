"""The blocks compute what torch's own layers compute; only their speed is different."""

import pytest
import torch
from torch import nn

from tellapart.models.blocks import (
    Dropout,
    DynamicConvolution,
    Flatten,
    Ghost,
    Residual,
    SqueezeExcitation,
    conv_norm_relu,
    cosine_conv,
    dynamic_conv,
    features_shape,
    named,
    separable_conv,
)
from tellapart.models.cost import count_multiply_adds


def test_cosine_kernels_are_the_lowest_waves_and_their_negatives():
    conv = cosine_conv(1, 50, 5)
    waves = conv.weight[:25].flatten(1)
    # All 25 are an orthonormal basis of the patch: nothing of it is lost.
    torch.testing.assert_close(waves @ waves.T, torch.eye(25))
    assert torch.equal(conv.weight[25:], -conv.weight[:25])
    # From the mean upwards: the first changes no sign, the next two once, down or across.
    assert waves[0].min() == waves[0].max() > 0
    assert [(wave.view(5, 5)[0, 0] * wave.view(5, 5)[-1, -1] < 0) for wave in waves[1:3]] == [1, 1]
    few = cosine_conv(1, 6, 5).weight
    assert torch.equal(few[:3], conv.weight[:3])


def test_cosine_kernels_learn_only_where_there_is_colour():
    grey, colour = cosine_conv(1, 8), cosine_conv(3, 8)
    assert (grey.weight.requires_grad, colour.weight.requires_grad) == (False, True)
    # A grey picture gives the same in three equal channels as in one.
    picture = torch.rand(2, 1, 9, 9)
    torch.testing.assert_close(colour(picture.expand(2, 3, 9, 9)), grey(picture))


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


LAYERS = [conv_norm_relu, separable_conv, Ghost, dynamic_conv]


def features_of(channels, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, channels, 7, 6, generator=generator)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_keeps_the_size_and_ends_on_a_relu_or_on_its_norm(layer):
    torch.manual_seed(0)
    rectified, signed = layer(6, 8)(features_of(6)), layer(6, 8, relu=False)(features_of(6))
    assert rectified.shape == signed.shape == (4, 8, 7, 6)
    assert rectified.min() == 0
    assert signed.mean((0, 2, 3)).abs().max() < 1e-5
    # A ghost is one filter away from its channel, and normalised like every other.
    assert torch.allclose(signed.var((0, 2, 3), correction=0), torch.ones(8), atol=1e-2)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_residual_block_of_any_layer_adds_to_its_input(layer):
    torch.manual_seed(0)
    block, features = Residual(6, layer), features_of(6)
    for norm in (part for part in block.second.modules() if isinstance(part, nn.BatchNorm2d)):
        nn.init.zeros_(norm.weight)
    assert torch.equal(block(features), torch.relu(features))


def test_a_separable_convolution_is_a_convolution_of_rank_one_kernels():
    torch.manual_seed(0)
    layer = separable_conv(3, 5, stride=2, relu=False).eval()
    layer.depthwise.relu = nn.Identity()
    depthwise, pointwise = layer.depthwise.conv.weight, layer.pointwise.conv.weight
    kernels = pointwise * depthwise.view(1, 3, 3, 3)  # (outputs, channels, 3, 3)
    wanted = nn.functional.conv2d(features_of(3), kernels, stride=2, padding=1)
    # Untouched norms only divide by sqrt(1 + eps), twice.
    assert torch.allclose(layer(features_of(3)) * (1 + 1e-5), wanted, rtol=1e-4, atol=1e-5)


def test_a_separable_convolution_rectifies_between_its_steps():
    layer = separable_conv(2, 2, relu=False)
    assert [type(part).__name__ for part in layer.depthwise] == ["Conv2d", "BatchNorm2d", "ReLU"]
    assert [type(part).__name__ for part in layer.pointwise] == ["Conv2d", "BatchNorm2d"]
    assert layer.depthwise.conv.groups == 2


@pytest.mark.parametrize("outputs", [1, 7, 8])
def test_a_ghost_joins_channels_and_their_ghosts(outputs):
    torch.manual_seed(0)
    ghost, features = Ghost(3, outputs), features_of(3)
    half = (outputs + 1) // 2
    out = ghost.eval()(features)
    primary = ghost.primary(features)
    assert out.shape == (4, outputs, 7, 6)
    assert torch.equal(out[:, :half], primary)
    for index in range(outputs - half):
        # Each ghost sees one channel only.
        alone = torch.zeros_like(primary)
        alone[:, index] = primary[:, index]
        assert torch.allclose(ghost.cheap(alone)[:, index], out[:, half + index])


def test_squeeze_and_excitation_weighs_channels_by_their_means_alone():
    torch.manual_seed(0)
    block, features = SqueezeExcitation(8), features_of(8)
    out = block(features)
    gates = (out / features).amax((2, 3))
    assert ((gates > 0) & (gates < 1)).all()
    assert torch.allclose(out, features * gates[:, :, None, None], atol=1e-6)
    hidden = torch.relu(block.scores.squeeze(features.mean((2, 3))))
    assert torch.allclose(gates, torch.sigmoid(block.scores.excite(hidden)), atol=1e-5)
    assert hidden.shape == (4, 2)
    # Turned over, a picture has the same means.
    assert torch.allclose(block(features.flip(2, 3)).flip(2, 3), out, atol=1e-6)


def test_a_block_of_few_channels_keeps_a_hidden_unit():
    assert SqueezeExcitation(2).scores.squeeze.out_features == 1
    assert DynamicConvolution(1, 2).scores.squeeze.out_features == 1


def test_a_dynamic_convolution_uses_for_each_image_its_own_mean_of_kernels():
    torch.manual_seed(0)
    layer, features = DynamicConvolution(3, 5, num_kernels=4, temperature=0.1), features_of(3)
    attention = layer.attention(features)
    assert torch.allclose(attention.sum(1), torch.ones(4))
    assert not torch.allclose(attention[0], attention[1], atol=1e-2)
    kernels = layer.weight.view(4, 5, 3, 3, 3)
    for picture, fraction, out in zip(features, attention, layer(features), strict=True):
        mixed = sum(part * kernel for part, kernel in zip(fraction, kernels, strict=True))
        wanted = nn.functional.conv2d(picture[None], mixed, padding=1)[0]
        assert torch.allclose(out, wanted, atol=1e-5)


def test_a_high_temperature_gives_every_kernel_its_share():
    torch.manual_seed(0)
    cool, hot = (DynamicConvolution(3, 5, temperature=heat) for heat in (0.1, 1000.0))
    hot.load_state_dict(cool.state_dict())
    assert torch.allclose(hot.attention(features_of(3)), torch.full((4, 4), 0.25), atol=1e-3)
    assert cool.attention(features_of(3)).max() > 0.5


def test_an_exported_dynamic_convolution_takes_batches_of_any_size():
    torch.manual_seed(0)
    layer = DynamicConvolution(3, 5).eval()
    sizes = {"features": {0: torch.export.Dim("batch", min=1, max=64)}}
    exported = torch.export.export(layer, (features_of(3),), dynamic_shapes=sizes).module()
    for num_images in (1, 2, 4):
        features = features_of(3)[:num_images]
        assert torch.allclose(exported(features), layer(features), atol=1e-5)


@pytest.mark.parametrize(
    ("block", "parameters", "multiply_adds"),
    [
        # c = 8 channels in, o = 12 out, p = 42 places, written out as the documentation has them.
        (conv_norm_relu(8, 12), 9 * 8 * 12 + 2 * 12, 9 * 8 * 12 * 42),
        (separable_conv(8, 12), 9 * 8 + 8 * 12 + 2 * 8 + 2 * 12, (9 * 8 + 8 * 12) * 42),
        (Ghost(8, 12), 9 * 8 * 6 + 9 * 6 + 4 * 6, 9 * (8 + 1) * 6 * 42),
        (
            DynamicConvolution(8, 12),
            9 * 4 * 8 * 12 + 8 * 2 + 2 + 2 * 4 + 4,
            9 * 8 * 12 * 42 + 9 * 4 * 8 * 12 + 8 * 2 + 2 * 4,
        ),
        (SqueezeExcitation(8), 2 * 8 * 2 + 2 + 8, 2 * 8 * 2),
    ],
    ids=["convolution", "separable", "ghost", "dynamic", "squeeze-and-excitation"],
)
def test_a_block_costs_what_its_docstring_states(block, parameters, multiply_adds):
    assert sum(weight.numel() for weight in block.parameters()) == parameters
    assert sum(count_multiply_adds(block, (8, 7, 6)).values()) == multiply_adds


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
def test_dropout_drops_its_fraction_and_keeps_the_mean(probability, count):
    torch.manual_seed(0)
    dropped = Dropout(probability)(torch.ones(count))
    fraction = (dropped == 0).double().mean().item()
    std = (probability * (1 - probability) / count) ** 0.5
    assert abs(fraction - probability) < 5 * std
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
