"""A classifier normalises by its formula, refuses other images, and measures as numpy does."""

import numpy as np
import pytest
import torch
from torch import nn

from tellapart.data.sets.sources import load_data_set
from tellapart.errors import ConfigError, ShapeError
from tellapart.models.classifier import Classifier, measure_normalization
from tellapart.models.spec import ClassifierSpec, Normalization


def make(mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 0.4), channels=3, network=None):
    return Classifier(
        network or nn.Flatten(),
        ClassifierSpec(
            network="none",
            arguments={"width": 2},
            class_names=("a", "b"),
            image_shape=(channels, 4, 5),
            normalization=Normalization(mean, std),
        ),
    )


def pictures(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((0.1307,), (0.3081,)),
        ((0.0,), (1.0,)),
        ((0.5,), (0.5,)),
        ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ],
)
def test_normalisation_is_the_formula(mean, std):
    images = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(3, 1, 16, 16)
    images = images.expand(3, 3, 16, 16)
    ours = make(mean, std).normalize(images)
    by_channel = [np.array(values).reshape(1, -1, 1, 1) for values in (mean, std)]
    wanted = (images.numpy().astype(np.float64) / 255 - by_channel[0]) / by_channel[1]
    assert ours.dtype == torch.float32
    assert np.abs(ours.numpy() - wanted).max() < 1e-6


def test_normalised_images_lie_channels_last():
    assert make().normalize(pictures(2, 3, 4, 5)).is_contiguous(memory_format=torch.channels_last)


def test_a_classifier_is_normalisation_and_network():
    classifier = make(network=nn.Sequential(nn.Flatten(), nn.Linear(60, 2)))
    images = pictures(2, 3, 4, 5)
    assert torch.equal(classifier(images), classifier.network(classifier.normalize(images)))


class Corner(nn.Module):
    """Its logits depend on one pixel alone, the second of the second row."""

    def forward(self, images):
        return torch.stack([images[:, 0, 1, 1], torch.zeros(len(images))], 1)


def test_the_answer_is_the_mean_over_the_views_by_hand():
    image = torch.zeros(1, 3, 4, 5, dtype=torch.uint8)
    image[0, 0, 1, 3] = 255  # at the corner in the mirror image, and in no shift of the picture
    classifier = make(mean=(0.0,), std=(1.0,), network=Corner()).eval()
    dark, bright = 0.5, float(torch.tensor([1.0, 0.0]).softmax(0)[0])
    for views, mean in {
        "plain": dark,
        "mirrored": (dark + bright) / 2,
        "shifted": dark,
        "mirrored-and-shifted": (17 * dark + bright) / 18,
    }.items():
        classifier = classifier.with_views(views)
        assert classifier(image).softmax(1)[0, 0].item() == pytest.approx(mean), views


def test_training_sees_each_image_once():
    classifier = make(mean=(0.0,), std=(1.0,), network=Corner())
    images = pictures(7, 3, 4, 5)
    expected = classifier.train()(images)
    classifier = classifier.with_views("mirrored-and-shifted")
    assert torch.equal(classifier(images), expected)
    assert classifier.with_network(classifier.network).views == "mirrored-and-shifted"
    assert not torch.equal(classifier.eval()(images), expected)
    assert torch.equal(classifier.plain_logits(images), expected)


def test_an_unknown_kind_of_views_is_no_silent_plain_one():
    with pytest.raises(ConfigError, match="views must be one of plain"):
        make(network=Corner()).with_views("two")


@pytest.mark.parametrize(
    ("images", "ending"),
    [
        (pictures(2, 1, 4, 5), "got torch.uint8 (2, 1, 4, 5)"),
        (pictures(3, 4, 5), "got torch.uint8 (3, 4, 5); for one image pass images[None]"),
        (pictures(4, 5), "got torch.uint8 (4, 5)"),
        (torch.rand(2, 3, 4, 5), "got torch.float32 (2, 3, 4, 5)"),
        (pictures(2, 3, 4, 5).long(), "got torch.int64 (2, 3, 4, 5)"),
    ],
)
def test_other_images_are_refused(images, ending):
    with pytest.raises(ShapeError) as caught:
        make()(images)
    assert str(caught.value) == f"images must be uint8 (batch, 3, height, width), {ending}"


def test_normalisation_for_other_channels_is_refused():
    with pytest.raises(ConfigError) as caught:
        make((0.1, 0.2), (1.0, 1.0))
    assert str(caught.value) == (
        "normalization must have one mean and std for all channels, or one for each of the 3; got 2"
    )
    with pytest.raises(ConfigError, match="one for each of the 1; got 3"):
        make(channels=1)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1e-42), (1e300, 1.0), (1e20, 1e-20)])
def test_normalisation_that_float32_cannot_hold_is_refused(mean, std):
    with pytest.raises(ConfigError, match="normalization must stay finite in float32"):
        make((mean,), (std,))


def test_the_file_holds_the_normalisation_once():
    classifier = make(network=nn.Sequential(nn.Flatten(), nn.Linear(60, 2)))
    assert set(classifier.state_dict()) == {"network.1.weight", "network.1.bias"}
    assert {name for name, _ in classifier.named_buffers()} == {"scale", "shift"}


def test_arguments_are_a_copy():
    arguments = {"width": 2}
    classifier = Classifier(
        nn.Flatten(),
        ClassifierSpec(
            network="none",
            arguments=arguments,
            class_names=("a", "b"),
            image_shape=(1, 2, 2),
            normalization=Normalization((0.0,), (1.0,)),
        ),
    )
    arguments["width"] = 3
    assert classifier.spec.arguments == {"width": 2}


def test_measured_normalisation_is_numpys():
    images = pictures(50, 3, 7, 9)
    images[:, 1] //= 4
    measured = measure_normalization(images)
    pixels = images.numpy().astype(np.float64) / 255
    assert np.allclose(measured.mean, pixels.mean((0, 2, 3)), rtol=1e-12, atol=0)
    assert np.allclose(measured.std, pixels.std((0, 2, 3)), rtol=1e-12, atol=0)


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_channel_that_never_changes_is_shifted_and_not_divided(value):
    images = pictures(13, 2, 3, 3)
    images[:, 1] = value
    measured = measure_normalization(images)
    assert measured.std[1] == 1.0
    normalised = make(measured.mean, measured.std, channels=2).normalize(images)
    assert normalised[:, 1].abs().max() < 1e-6


def test_measured_images_have_mean_0_and_std_1():
    images = pictures(40, 2, 6, 6)
    measured = measure_normalization(images)
    normalised = make(measured.mean, measured.std, channels=2).normalize(images).double()
    assert normalised.mean((0, 2, 3)).abs().max() < 1e-6
    assert (normalised.var((0, 2, 3), correction=0).sqrt() - 1).abs().max() < 1e-6


def test_the_numbers_of_the_articles_are_those_of_mnist(data_dir):
    measured = measure_normalization(
        load_data_set("mnist", data_dir=data_dir).split("train").images
    )
    assert round(measured.mean[0], 4) == 0.1307
    assert round(measured.std[0], 4) == 0.3081


def test_logits_of_pixels_are_those_of_images_and_have_gradients(make):
    classifier = make.trainer().classifier.eval()
    images = make.images(4, seed=3).images
    for views in ("plain", "mirrored-and-shifted"):
        seen = classifier.with_views(views).with_temperature(2.0)
        pixels = images.float().requires_grad_()
        logits = seen.logits_of_pixels(pixels)
        assert torch.equal(logits, seen(images))
        logits.sum().backward()
        assert pixels.grad is not None
        assert bool((pixels.grad != 0).flatten(1).any(1).all())
