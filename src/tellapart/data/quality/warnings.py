"""The part of the audit that costs next to nothing: what training warns of before it begins."""

from __future__ import annotations

from collections.abc import Iterator

from tellapart.config import Recipe
from tellapart.data.image_set import DataSet
from tellapart.data.quality.audit import IMBALANCE_RATIO, imbalance_ratio
from tellapart.data.quality.duplicates import count_shared_images
from tellapart.data.sets.catalogue import CATALOGUE

_COMPARED = (("test", "train"), ("validation", "train"), ("test", "validation"))


def warnings_before_training(data_set: DataSet, recipe: Recipe) -> Iterator[str]:
    """A sentence for each fault that makes the figures of a training mean less.

    Reports how many images splits share, byte for byte, or for image files nearly so, and that
    classes are of uneven size. The catalogue's data sets are known, and their notes say what is to
    be known of them.
    """
    if data_set.name in CATALOGUE:
        return
    for (split, other), count in _shared(data_set).items():
        if count:
            yield (
                f"{count:,} of the {len(data_set.split(split)):,} images of {split} are in "
                f"{other} too: what is measured on them says little; "
                "`tellapart data check` shows them"
            )
    factor = imbalance_ratio(data_set.split("train"))
    settings = recipe.training
    is_balanced = settings.class_weights == "balanced" or settings.sampling == "balanced"
    if factor >= IMBALANCE_RATIO and not is_balanced:
        yield (
            f"the largest class has {factor:.1f} times the images of the smallest; "
            "training.class_weights=balanced or training.sampling=balanced makes up for it"
        )


def _shared(data_set: DataSet) -> dict[tuple[str, str], int]:
    if data_set.shared is not None:
        return dict(data_set.shared)
    present = data_set.splits
    return {
        (split, other): count_shared_images(present[split], present[other])
        for split, other in _COMPARED
        if split in present and other in present
    }
