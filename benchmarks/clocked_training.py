"""A recipe's trainer on any number of pictures, warmed up and ready for the clock."""

from __future__ import annotations

import copy
from pathlib import Path

import torch

from tellapart.config import load_recipe
from tellapart.data.image_set import ImageSet
from tellapart.data.sets.sources import load_data_set
from tellapart.models.classifier import Classifier
from tellapart.runs.planning import build_classifier
from tellapart.runtime import choose_runtime, keep_freed_memory
from tellapart.training.trainer import Trainer

WARM_UP_STEPS = 10


def repeated(image_set: ImageSet, num_images: int) -> ImageSet:
    """The first ``num_images``, from the start again where there are no more."""
    return image_set.select(torch.arange(num_images) % len(image_set))


def split_of(data: str, split: str, num_images: int, data_dir: Path | None) -> ImageSet:
    """So many pictures of one split; nothing else of the data set stays in memory.

    Raises:
        DataError: where there is no such data set or split.
    """
    return repeated(load_data_set(data, data_dir=data_dir).split(split), num_images)


def untrained(recipe: str, train: ImageSet) -> Classifier:
    """The classifier of a recipe with its first weights."""
    return build_classifier(load_recipe(recipe), train)


def warm_trainer(recipe: str, train: ImageSet) -> Trainer:
    """A trainer for one epoch, after ten steps on a copy of its network.

    The allocator keeps freed memory, as ``tellapart.train`` has it.

    Args:
        recipe: its name; no validation part is held out.
        train: pictures to learn from.

    Raises:
        ConfigError: an unknown recipe, or fewer pictures than a batch.
    """
    keep_freed_memory()
    settled = load_recipe(recipe).with_settings(["epochs=1"])
    runtime = choose_runtime(precision=settled.training.precision)
    classifier = untrained(recipe, train)
    few = train.select(torch.arange(min(len(train), WARM_UP_STEPS * settled.training.batch_size)))
    for _ in Trainer(copy.deepcopy(classifier), few, None, settled, runtime).epochs():
        pass
    return Trainer(classifier, train, None, settled, runtime)
