"""Small pictures and small networks: an epoch takes milliseconds."""

from types import SimpleNamespace

import pytest
import torch

from tellapart.config import Recipe
from tellapart.data.image_set import ImageSet
from tellapart.models.classifier import Classifier, measure_normalization
from tellapart.models.registry import seeded_network
from tellapart.runtime import Runtime
from tellapart.training.trainer import Trainer

NAMES = ("ant", "bee", "cat")


def make_images(count, seed, *, channels=3, side=16):
    """Noise with a bright corner that depends on the class: learnable, but not at once."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, channels, side, side)
    images = torch.randint(0, 200, shape, generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 3, (count,), generator=generator)
    for number, label in enumerate(labels.tolist()):
        images[number, label % channels, : side // 2, : side // 2] += 40
    return ImageSet(images, labels, NAMES)


def make_trainer(settings=(), *, train=None, validation=None, precision="fp32", teacher=None):
    """A trainer on 23 pictures: batches of 5 leave a last one of 3."""
    train = train or make_images(23, seed=1)
    defaults = ["network=lenet", "epochs=3", "batch_size=5", "validation_share=0.1"]
    recipe = Recipe().with_settings([*defaults, *settings])
    network = seeded_network(
        recipe.model.network, train.picture_shape, len(NAMES), recipe.model.arguments, 0
    )
    classifier = Classifier(
        network,
        network_name=recipe.model.network,
        arguments=recipe.model.arguments,
        class_names=NAMES,
        picture_shape=train.picture_shape,
        normalization=measure_normalization(train.images),
    )
    runtime = Runtime(torch.device("cpu"), precision)
    extra = {"teacher": teacher} if teacher is not None else {}
    return Trainer(classifier, train, validation, recipe, runtime, **extra)


@pytest.fixture
def make():
    """Makers of image sets and trainers."""
    return SimpleNamespace(images=make_images, trainer=make_trainer)
