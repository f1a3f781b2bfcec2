"""A scene holds the numbers of `tellapart.ops`, and its parts add up to its result."""

import pytest
import torch

from tellapart import ops
from tellapart.errors import ConfigError, ShapeError
from tellapart.illustration.kernels import KERNELS, kernel_named
from tellapart.illustration.scenes import (
    ACTIVATIONS,
    Field,
    activation_scene,
    average_pooling_scene,
    convolution_scene,
    max_pooling_scene,
    opening_place,
)
from tellapart.illustration.texts import bilingual


def field(values):
    return Field(values, bilingual("numbers", "数字"))


@pytest.fixture
def noise():
    return field(torch.randn(1, 9, 8, generator=torch.Generator().manual_seed(0)))


TUTORIAL = field(torch.arange(1.0, 10.0).view(1, 3, 3))


def test_the_worked_example_has_its_right_numbers():
    scene = convolution_scene(KERNELS["tutorial"], TUTORIAL)
    assert scene.output.tolist() == [[12, 16], [24, 28]]
    assert scene.numbers["products"][0, 0, 0].tolist() == [[1, 2], [4, 5]]
    answer = field(scene.output[None])
    assert max_pooling_scene(answer).output.tolist() == [[28]]
    assert average_pooling_scene(answer).output.tolist() == [[20]]


@pytest.mark.parametrize(
    "settings", [{}, {"stride": 2, "padding": 1}, {"dilation": 2}, {"stride": 3, "padding": 2}]
)
def test_the_products_add_up_to_what_ops_gives(noise, settings):
    kernel = kernel_named("0.5,-1,2; 1,0,3")
    scene = convolution_scene(kernel, noise, **settings)
    expected = ops.conv2d(noise.values[None], kernel.weight[None, None], **settings)[0, 0]
    assert torch.equal(scene.output, expected)
    torch.testing.assert_close(scene.numbers["products"].sum((0, 3, 4)), expected)


@pytest.mark.parametrize("settings", [{}, {"stride": 1, "padding": 1}, {"dilation": 2}])
def test_the_winner_is_the_maximum_and_the_first_where_they_tie(noise, settings):
    scene = max_pooling_scene(noise, 2, **settings)
    assert torch.equal(scene.output, ops.max_pool2d(noise.values[None], 2, **settings)[0, 0])
    tied = max_pooling_scene(field(torch.ones(1, 4, 4)), 2, padding=1)
    # A corner window sees three padded pixels; the real one is the last.
    assert tied.numbers["winners"].tolist()[0][0] == 3
    assert max_pooling_scene(field(torch.ones(1, 4, 4)), 2).numbers["winners"].sum() == 0


def test_an_average_is_its_sum_over_its_count(noise):
    scene = average_pooling_scene(noise, 3, stride=2, padding=1)
    expected = ops.avg_pool2d(noise.values[None], 3, stride=2, padding=1)[0, 0]
    assert torch.equal(scene.output, expected)
    torch.testing.assert_close(scene.numbers["sums"] / scene.numbers["count"], expected)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_that_of_ops_with_its_slope(noise, name):
    scene = activation_scene(ACTIVATIONS[name], noise)
    function = getattr(ops, name.replace("-", "_"))
    assert torch.equal(scene.output, function(noise.values)[0])
    small = 1e-3
    above, below = (function(noise.values.double() + d)[0] for d in (small, -small))
    slopes = scene.numbers["slopes"].double()
    torch.testing.assert_close(slopes, (above - below) / (2 * small), atol=1e-3, rtol=1e-3)
    across, curve = scene.numbers["curve"]
    assert across[0] == -across[-1] == -noise.values.abs().max()
    assert torch.equal(curve, function(across))


def test_a_page_opens_at_the_strongest_answer_of_the_middle_rows():
    output = torch.zeros(8, 5)
    output[0, 0], output[4, 3] = 9.0, -2.0
    assert opening_place(output) == 4 * 5 + 3
    assert opening_place(torch.ones(1, 1)) == 0


def test_a_kernel_larger_than_the_padded_picture_is_refused(noise):
    kernel = kernel_named(";".join(["1,1"] * 10))
    with pytest.raises(ShapeError, match="spans 10x2 pixels must fit the padded image, got 9x8"):
        convolution_scene(kernel, noise)
    assert convolution_scene(kernel, noise, padding=1).output.shape == (2, 9)


def test_sums_that_overflow_are_refused():
    with pytest.raises(ConfigError, match="yours: its sums overflow float32; use a kernel of sm"):
        convolution_scene(kernel_named("3e38, 3e38"), TUTORIAL)
