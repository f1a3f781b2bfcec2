"""The warnings before training: the quick part of the audit."""

from __future__ import annotations

from collections.abc import Iterator

from tellapart.config import Recipe
from tellapart.data.image_set import DataSet
from tellapart.data.quality.audit import IMBALANCE_RATIO, imbalance_ratio
from tellapart.data.quality.blank import mostly_blank_classes
from tellapart.data.quality.class_names import class_name_findings
from tellapart.data.quality.duplicates import count_shared_images
from tellapart.data.quality.groups import group_leaks
from tellapart.data.quality.masks import mask_files
from tellapart.data.quality.mirrored import Mirroring, mirrored_classes
from tellapart.data.sets.catalogue import CATALOGUE


def warnings_before_training(data_set: DataSet, recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for each fault that makes an accuracy low or misleading.

    These are: a recipe that mirrors one class into another; odd names of classes; masks among the
    images; splits with common images, counted as the audit counts them; groups in several splits;
    classes with many blank images; classes of uneven size. Data sets of the catalogue are only
    checked for mirroring: their notes describe the rest.
    """
    mirrored = mirrored_classes(data_set, mirroring_of(recipe, data_set))
    if mirrored:
        yield mirrored
    if data_set.name in CATALOGUE:
        return
    for finding in class_name_findings(data_set.class_names):
        yield finding.message
    for finding in mask_files(data_set):
        yield finding.message
    for (split, other), count in count_shared_images(data_set).items():
        if count:
            yield (
                f"{count:,} of the {len(data_set.split(split)):,} images of {split} are in "
                f"{other} too, or look alike: an accuracy measured on them is too high; "
                "`tellapart data check` shows them"
            )
    for finding in group_leaks(data_set):
        yield f"{finding.message}; `tellapart data check` shows them"
    train = data_set.split("train")
    for name, part in mostly_blank_classes(train).items():
        yield (
            f"{part:.0%} of the images of {name!r} are blank, of one colour only or nearly: "
            "nothing is learned from them; `tellapart data check` shows them"
        )
    factor = imbalance_ratio(train)
    settings = recipe.training
    is_balanced = settings.class_weights == "balanced" or settings.sampling == "balanced"
    if factor >= IMBALANCE_RATIO and not is_balanced:
        yield (
            f"the largest class has {factor:.1f} times the images of the smallest; "
            "training.class_weights=balanced or training.sampling=balanced makes up for it"
        )


def mirroring_of(recipe: Recipe, data_set: DataSet) -> Mirroring:
    """Return how ``recipe`` mirrors images, and the settings that switch it off."""
    augmentation, in_answers = recipe.augmentation, recipe.prediction.mirrors
    switches = {
        "augmentation.flip_horizontal=0": augmentation.flip_horizontal,
        "augmentation.flip_vertical=0": augmentation.flip_vertical,
        "prediction.views=plain": in_answers,
    }
    entry = CATALOGUE.get(data_set.name)
    return Mirroring(
        horizontal=bool(augmentation.flip_horizontal or in_answers),
        vertical=bool(augmentation.flip_vertical),
        settings=tuple(setting for setting, is_on in switches.items() if is_on),
        shows_signs=entry.shows_signs if entry else None,
    )
