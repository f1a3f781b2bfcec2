"""Choosing a recipe: the requested one, or one that suits the data set."""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import replace
from pathlib import Path

from tellapart.config import Recipe, Settings, load_recipe
from tellapart.data.sets.source import OpenedSource

# With fewer training images than this an epoch is short, and more epochs improve the accuracy.
_FEW_IMAGES = 20_000
# With fewer than this, fine-tuning changes the source's weights less.
_FEW_IMAGES_TO_TUNE = 1_000
# Training on few images takes at least this many steps, as far as the third number allows.
_FEWEST_STEPS, _FEWEST_STEPS_AN_EPOCH, _MOST_EPOCHS = 500, 8, 60
_SMALLEST_BATCH = 8
# Colour images whose shorter side is longer than this are treated as photographs.
_LARGEST_SMALL_SIDE = 48


def choose_recipe(
    recipe: str | Path | Recipe | None, opened: OpenedSource, settings: Settings
) -> tuple[Recipe, str]:
    """Return the requested recipe, or one that suits the data, with settings applied; and why.

    Args:
        recipe: a name, a ``.toml`` file, or a recipe; None chooses one.
        opened: the data set, before any image is decoded.
        settings: changes to the recipe; shots, classes, source, size and channels affect which one.

    Returns:
        The recipe, and the reason for choosing it; empty if it was requested.

    Raises:
        ConfigError: an unknown recipe, or a wrong setting.
    """
    reason = ""
    if recipe is None:
        recipe, reason = _suggest(opened, settings)
    named = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    return named.with_settings(settings), reason


def _suggest(opened: OpenedSource, settings: Settings) -> tuple[str, str]:
    asked = load_recipe("small-data").with_settings(settings)
    counts = [opened.train_counts.get(name, 0) for name in asked.data.classes]
    counts = counts or list(opened.train_counts.values())
    num_train = sum(min(count, asked.data.shots or count) for count in counts)
    if asked.finetuning.source:
        few = num_train < _FEW_IMAGES_TO_TUNE
        reason = f"{num_train:,} training images and a source to start from"
        return ("finetune-few" if few else "finetune"), reason
    channels, height, width = opened.image_shape
    size = asked.data.size
    return suggest_recipe(
        num_train, (asked.data.channels or channels, size or height, size or width)
    )


def suggest_recipe(
    num_train: int, image_shape: tuple[int, int, int] = (1, 28, 28)
) -> tuple[str, str]:
    """Return the name of a recipe for this many training images of this shape, and the reason."""
    channels, height, width = image_shape
    if channels == 3 and min(height, width) > _LARGEST_SMALL_SIDE:
        return "photos", f"{width}x{height} colour images: a deeper network, mirrored images"
    if num_train < _FEW_IMAGES:
        return "small-data", f"{num_train:,} training images are few: more, shorter epochs"
    return "standard", f"{num_train:,} training images are enough for a few epochs"


def fit_to_few_images(recipe: Recipe, num_train: int, given: Container[str] = ()) -> Recipe:
    """Return the recipe with smaller batches and more epochs if there are few images.

    A dozen steps train nothing, and the running statistics of batch norm lag behind the weights:
    with 60 digits an unchanged ``small-data`` predicts one class for everything. So an epoch gets
    at least 8 steps, and training about 500 steps within 60 epochs. Measured on mnist-sample, two
    seeds each: 85 to 90 % with 6 digits per class, 94 to 95 % with 12, 97 % with 25.

    Args:
        recipe: one that was chosen for the data, not requested.
        num_train: number of training images.
        given: keys that were set explicitly; their values are kept, and refused if they do not fit.
    """
    training, is_tuned = recipe.training, bool(recipe.finetuning.source)
    batch_size, epochs = training.batch_size, training.epochs
    if "training.batch_size" not in given:
        fewest = 1 if is_tuned else _FEWEST_STEPS_AN_EPOCH
        batch_size = min(batch_size, max(_SMALLEST_BATCH, num_train // fewest), num_train)
    if "training.epochs" not in given and not is_tuned:
        steps = math.ceil(num_train / batch_size)
        epochs = max(epochs, min(math.ceil(_FEWEST_STEPS / steps), _MOST_EPOCHS))
    return replace(recipe, training=replace(training, batch_size=batch_size, epochs=epochs))
