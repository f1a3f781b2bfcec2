"""EfficientNet-Lite0 pads as TensorFlow does, costs what it claims, sees by region on demand."""

import math

import pytest
import torch
from torch import nn

from tellapart.errors import ConfigError
from tellapart.models.cost import count_multiply_adds
from tellapart.models.efficientnet import (
    EfficientNetLite,
    GridMean,
    InvertedResidual,
    SamePaddedConv2d,
    efficientnet_lite0,
    grid_windows,
)
from tellapart.models.registry import build_network, count_parameters, seeded_network

NAME = "efficientnet-lite0"


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def with_statistics(network, images):
    """Norms normalise by these images; else the signal of random weights fades on its way."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(images)
    return network.eval()


def tensorflows_padding(size, kernel, stride):
    """What TensorFlow's documentation states for "SAME": zeros before and after."""
    excess = kernel - stride if size % stride == 0 else kernel - size % stride
    return max(excess, 0) // 2, max(excess, 0) - max(excess, 0) // 2


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (9, 9), (7, 10), (1, 2), (33, 34)], ids=str)
def test_a_convolution_pads_as_tensorflow_does(kernel, stride, size):
    convolution = SamePaddedConv2d(3, 4, kernel, stride, bias=False)
    features = drawn(2, 3, *size)
    (top, bottom), (left, right) = (tensorflows_padding(side, kernel, stride) for side in size)
    padded = torch.zeros(2, 3, top + size[0] + bottom, left + size[1] + right)
    padded[:, :, top : top + size[0], left : left + size[1]] = features
    # (outputs, places) from (outputs, c * k * k) and (c * k * k, places), place by place.
    rows, columns = (math.ceil(side / stride) for side in size)
    wanted = torch.empty(2, 4, rows, columns)
    for row in range(rows):
        for column in range(columns):
            down, across = row * stride, column * stride
            window = padded[:, :, down : down + kernel, across : across + kernel]
            wanted[:, :, row, column] = window.flatten(1) @ convolution.weight.flatten(1).T
    torch.testing.assert_close(convolution(features), wanted)


def test_a_bias_and_groups_are_kept():
    torch.manual_seed(0)
    convolution = SamePaddedConv2d(4, 4, 3, 2, groups=4)
    features = drawn(2, 4, 8, 8)
    padded = nn.functional.pad(features, (0, 1, 0, 1))
    wanted = nn.functional.conv2d(padded, convolution.weight, convolution.bias, 2, groups=4)
    assert torch.equal(convolution(features), wanted)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("in_channels", "kernel", "stride"), [(6, 5, 1), (6, 3, 2), (6, 5, 2), (6, 3, 1), (1, 3, 2)]
)
def test_in_bfloat16_too_a_convolution_has_its_output_and_gradients(
    in_channels, kernel, stride, bias
):
    torch.manual_seed(0)
    convolution = SamePaddedConv2d(in_channels, 6, kernel, stride, groups=in_channels, bias=bias)
    results = []
    for enabled in (False, True):
        features = drawn(4, in_channels, 9, 12).requires_grad_()
        convolution.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output = convolution(features)
        output.float().square().sum().backward()
        gradients = [features.grad, *(weight.grad for weight in convolution.parameters())]
        results.append([output.detach().float(), *gradients])
    for exact, rounded in zip(*results, strict=True):
        assert rounded.dtype == torch.float32
        assert (rounded - exact).abs().max() <= 0.02 * exact.abs().max()


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "stride", "goes_around"),
    [(8, 8, 1, True), (8, 8, 2, False), (8, 12, 1, False)],
)
def test_there_is_a_way_around_a_block_where_the_shape_stays(
    in_channels, out_channels, stride, goes_around
):
    block = InvertedResidual(in_channels, out_channels, 3, stride, 6)
    nn.init.zeros_(block.branch.project.norm.weight)  # the branch then adds nothing
    features = drawn(2, in_channels, 5, 5)
    out = block(features)
    wanted = features if goes_around else torch.zeros_like(out)
    assert torch.equal(out, wanted)
    assert out.shape == (2, out_channels, math.ceil(5 / stride), math.ceil(5 / stride))


def test_a_block_costs_what_its_docstring_states():
    c, o, k, e, p = 8, 12, 5, 6 * 8, 7 * 6
    block = InvertedResidual(c, o, k, 1, 6)
    assert count_parameters(block) == (c + k * k + o) * e + 4 * e + 2 * o
    assert sum(count_multiply_adds(block, (c, 7, 6)).values()) == (c + k * k + o) * e * p


def test_the_network_costs_what_its_docstring_states():
    network = build_network(NAME, (3, 224, 224), 1000, {})
    assert count_parameters(network) == 4_652_008
    total = sum(count_multiply_adds(network, (3, 224, 224)).values())
    assert round(total / 1e6) == 385
    assert "4.65 million parameters, 385 million multiply-adds" in efficientnet_lite0.__doc__


@pytest.mark.parametrize("size", [(32, 32), (32, 224), (224, 32), (8, 8)], ids=str)
def test_images_of_32_pixels_are_refused(size):
    with pytest.raises(ConfigError, match=rf"'{NAME}' .*\(3, {size[0]}, {size[1]}\).*\b33 pixels"):
        build_network(NAME, (3, *size), 2, {})


@pytest.mark.parametrize("with_grid", [False, True])
@pytest.mark.parametrize("size", [(33, 33), (33, 50)], ids=str)
def test_images_of_33_pixels_train_even_alone(size, with_grid):
    network = build_network(NAME, (3, *size), 2, {"with_grid": with_grid})
    logits = network.train()(drawn(1, 3, *size))
    assert logits.shape == (1, 2)
    logits.sum().backward()
    assert network.backbone.stem.conv.weight.grad.isfinite().all()


def test_the_grid_adds_features_and_leaves_the_others():
    images = drawn(2, 3, 70, 100)
    plain = with_statistics(EfficientNetLite(3), images)
    gridded = EfficientNetLite(3, with_grid=True).eval()
    gridded.load_state_dict(plain.state_dict())
    assert (plain.num_features, gridded.num_features) == (1280, 2288)
    seen = []
    gridded.stage5.register_forward_hook(lambda *called: seen.append(called[2]))
    with torch.no_grad():
        features = gridded(images)
        assert features.shape == (2, 2288)
        assert torch.equal(features[:, :1280], plain(images))
    (stage5,) = seen
    assert stage5.shape == (2, 112, 5, 7)
    # Five rows in three windows of three; seven columns in windows of three, two apart.
    middle = stage5[:, :, 1:4, 2:5].mean((2, 3))
    regions = features[:, 1280:].view(2, 112, 3, 3)
    torch.testing.assert_close(regions[:, :, 1, 1], middle)


def test_with_the_grid_too_every_layer_is_used_exactly_once(leaves_in_order):
    network = build_network(NAME, (3, 33, 33), 2, {"with_grid": True})
    leaves = [module for module in network.modules() if not list(module.children())]
    assert sorted(map(id, leaves_in_order(network, (3, 33, 33)))) == sorted(map(id, leaves))


@pytest.mark.parametrize(
    ("side", "windows"),
    [
        (3, [(0, 1), (1, 2), (2, 3)]),
        (8, [(0, 4), (2, 6), (4, 8)]),
        (9, [(0, 3), (3, 6), (6, 9)]),
        (14, [(0, 6), (4, 10), (8, 14)]),
    ],
)
def test_a_grids_windows_are_equal_and_overlap_where_they_must(side, windows):
    features = drawn(2, 5, side, 14)
    means = GridMean(3)(features)
    assert means.shape == (2, 5, 3, 3)
    across = [(0, 6), (4, 10), (8, 14)]
    for row, (top, bottom) in enumerate(windows):
        for column, (left, right) in enumerate(across):
            wanted = features[:, :, top:bottom, left:right].mean((2, 3))
            torch.testing.assert_close(means[:, :, row, column], wanted)
    transposed = GridMean(3)(features.transpose(2, 3))
    torch.testing.assert_close(transposed.transpose(2, 3), means)


@pytest.mark.parametrize("side", range(3, 40))
def test_a_grids_windows_cover_every_position(side):
    (kernel, _), (stride, _) = grid_windows((side, 3), 3)
    assert 1 <= stride <= kernel  # no gap between two windows
    assert 2 * stride + kernel == side


def test_an_exported_network_takes_batches_of_any_size():
    shape = (3, 40, 33)
    network = seeded_network(NAME, shape, 4, {"with_grid": True}, 0)
    network = with_statistics(network, drawn(8, *shape))
    sizes = {"input": {0: torch.export.Dim("batch", min=1, max=64)}}
    exported = torch.export.export(network, (drawn(2, *shape),), dynamic_shapes=sizes).module()
    for num_images in (1, 2, 3):
        images = drawn(num_images, *shape, seed=num_images)
        torch.testing.assert_close(exported(images), network(images))
