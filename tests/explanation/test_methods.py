"""Heat maps equal captum's, for every network of the registry and for networks of one's own."""

import functools

import pytest
import torch
from torch import nn

from tellapart import ops
from tellapart.errors import ConfigError
from tellapart.explanation.grad_cam import grad_cam, layer_with_positions
from tellapart.explanation.integrated_gradients import (
    LARGEST_GAP,
    complete_integrated_gradients,
    integrated_gradients,
)
from tellapart.explanation.methods import METHODS, choose_methods
from tellapart.explanation.occlusion import occlusion, patch_of
from tellapart.finetuning.lora import add_lora
from tellapart.models.classifier import Classifier
from tellapart.models.registry import NETWORKS, seeded_network
from tellapart.models.spec import ClassifierSpec, Normalization

attr = pytest.importorskip("captum.attr", reason="captum is not installed")
NUM_CLASSES = 4
TARGETS = torch.tensor([[1, 0], [3, 2]])  # two classes for each of two images


class OfOps(nn.Module):
    """Convolution, ReLU and mean from first principles; its weights belong to no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(3, 1, 3, 3) / 3)
        self.relu = nn.ReLU()
        self.weight = nn.Parameter(torch.randn(NUM_CLASSES, 3 * 7 * 7) / 10)
        self.bias = nn.Parameter(torch.zeros(NUM_CLASSES))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.relu(ops.conv2d(images, self.kernel, padding=1))
        pooled = ops.max_pool2d(features, 4)
        return ops.linear(pooled.flatten(1), self.weight, self.bias)


class Flat(nn.Module):
    """A network that forgets positions at once."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)


def inputs_for(shape):
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def trained_like(network, inputs):
    """With running statistics of other images, so that eval mode differs from training mode."""
    with torch.no_grad():
        network.train()(torch.randn_like(inputs).repeat(4, 1, 1, 1))
    return network.eval()


@functools.cache
def zoo(name, shape):
    network = seeded_network(name, shape, NUM_CLASSES, {}, seed=0).double()
    return trained_like(network, inputs_for(shape))


@pytest.fixture(params=[*NETWORKS, "lora", "ops"])
def network_and_inputs(request, shape_for):
    name = "lenet" if request.param == "lora" else request.param
    if name == "ops":
        torch.manual_seed(0)
        return OfOps().double(), inputs_for((1, 28, 28))
    shape = shape_for(name, (1, 28, 28))
    if request.param != "lora":
        return zoo(name, shape), inputs_for(shape)
    network = seeded_network(name, shape, NUM_CLASSES, {}, seed=0)
    add_lora(network, 2, seed=0)
    return network.double().eval(), inputs_for(shape)


def each_class(attribute):
    """What captum gives for each column of the classes, (images, classes, height, width)."""
    return torch.stack([attribute(column).detach() for column in TARGETS.T], 1)


def test_grad_cam_equals_captums(network_and_inputs):
    network, inputs = network_and_inputs
    layer = layer_with_positions(network, inputs)
    assert layer is not None
    cam = attr.LayerGradCam(network, network.get_submodule(layer))

    def theirs(column):
        coarse = cam.attribute(inputs, column, relu_attributions=True)
        return attr.LayerAttribution.interpolate(coarse, inputs.shape[2:], "bilinear")[:, 0]

    ours = grad_cam(network, inputs, TARGETS)
    assert ours.shape == (2, 2, *inputs.shape[2:])
    torch.testing.assert_close(ours, each_class(theirs), rtol=1e-6, atol=1e-9)


def test_integrated_gradients_equal_captums(network_and_inputs):
    network, inputs = network_and_inputs
    integrated = attr.IntegratedGradients(network)

    def theirs(column):
        return integrated.attribute(inputs, target=column, n_steps=5).sum(1)

    ours = integrated_gradients(network, inputs, TARGETS, steps=5)
    torch.testing.assert_close(ours, each_class(theirs), rtol=1e-6, atol=1e-8)


def test_occlusion_equals_captums(network_and_inputs):
    network, inputs = network_and_inputs
    channels, covering = inputs.shape[1], attr.Occlusion(network)

    def theirs(column):
        return covering.attribute(
            inputs,
            sliding_window_shapes=(channels, 12, 9),
            strides=(channels, 11, 8),
            target=column,
        )[:, 0].double()

    ours = occlusion(network, inputs, TARGETS, patch=(12, 9), stride=(11, 8))
    torch.testing.assert_close(ours, each_class(theirs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [(28, 28), (8, 20), (3, 3)])
def test_the_usual_patch_equals_captums_and_covers_every_pixel(size):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(2 * size[0] * size[1], 4)).double()
    inputs, (patch, stride) = inputs_for((2, *size)), patch_of(*size)
    covering = attr.Occlusion(network)

    def theirs(column):
        return covering.attribute(
            inputs, sliding_window_shapes=(2, *patch), strides=(2, *stride), target=column
        )[:, 0].double()

    ours = occlusion(network, inputs, TARGETS)
    assert ours.isfinite().all()
    torch.testing.assert_close(ours, each_class(theirs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["quick", "small-residual", "two-conv", "efficientnet-lite0"])
def test_the_completeness_gap_is_the_true_one_and_below_one_percent(name, shape_for):
    shape = shape_for(name, (1, 28, 28))
    network, inputs = zoo(name, shape), inputs_for(shape)
    maps, gaps = complete_integrated_gradients(network, inputs, TARGETS)
    with torch.no_grad():
        scores = network(inputs) - network(torch.zeros_like(inputs[:1]))
    differences = scores.gather(1, TARGETS)
    expected = (maps.sum((2, 3)) - differences).abs() / differences.abs().clamp_min(1e-6)
    torch.testing.assert_close(gaps, expected, rtol=1e-4, atol=1e-7)
    assert gaps.max() < LARGEST_GAP


def test_refined_maps_are_those_of_very_many_points():
    network, inputs = zoo("two-conv", (1, 28, 28)), inputs_for((1, 28, 28))
    maps, _ = complete_integrated_gradients(network, inputs, TARGETS)
    exact = integrated_gradients(network, inputs, TARGETS, steps=200)
    assert (maps - exact).abs().max() < 0.02 * exact.abs().max()


def test_a_network_without_positions_has_no_grad_cam():
    network, inputs = Flat(), torch.randn(2, 1, 8, 8)
    assert layer_with_positions(network, inputs) is None
    with pytest.raises(ConfigError, match="occlusion"):
        grad_cam(network, inputs, TARGETS)


def classifier_of(network, shape):
    spec = ClassifierSpec(
        network="own",
        class_names=tuple("abcd"),
        image_shape=shape,
        normalization=Normalization((0.5,), (0.5,)),
    )
    return Classifier(network, spec).eval()


def test_by_default_another_method_takes_the_place_of_grad_cam_and_the_note_tells():
    chosen = choose_methods(None, classifier_of(Flat(), (1, 8, 8)))
    assert [method.name for method in chosen.methods] == ["integrated-gradients", "occlusion"]
    assert "Grad-CAM" in (chosen.note or "")
    with pytest.raises(ConfigError, match=r"positions.*integrated-gradients"):
        choose_methods(["grad-cam"], classifier_of(Flat(), (1, 8, 8)))


def test_large_images_get_grad_cam_and_a_note_of_the_others():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    small, large = (classifier_of(network, (1, side, side)) for side in (64, 65))
    assert [method.name for method in choose_methods(None, small).methods] == list(METHODS)
    chosen = choose_methods(None, large)
    assert [method.name for method in chosen.methods] == ["grad-cam"]
    assert "all" in (chosen.note or "")
    assert len(choose_methods(["all"], large).methods) == 3


def test_an_unknown_method_names_the_nearest():
    with pytest.raises(ConfigError, match="'occlusion'"):
        choose_methods(["oclusion"], classifier_of(Flat(), (1, 8, 8)))


def test_temperature_and_other_views_change_no_map():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4))
    plain = classifier_of(network, (1, 8, 8))
    other = plain.with_temperature(0.5).with_views("shifted")
    images = torch.randint(256, (2, 1, 8, 8), dtype=torch.uint8)
    for method in METHODS.values():
        expected = method(plain, images, TARGETS[:, 0])
        assert torch.equal(method(other, images, TARGETS[:, 0]), expected)


def test_computing_maps_leaves_network_and_modes_as_they_were():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4)
    )
    for weight in network.parameters():
        weight.requires_grad_(False)
    network.train()
    classifier = classifier_of(network, (1, 8, 8))
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = torch.randint(256, (2, 1, 8, 8), dtype=torch.uint8)
    for method in METHODS.values():
        maps = method(classifier, images, TARGETS[:, 0])
        assert maps.shape == (2, 8, 8)
        assert maps.dtype == torch.float32
        assert not maps.requires_grad
    assert all(part.training for part in network.modules())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert not any(layer._forward_hooks for layer in network.modules())
