"""The training and validation images of a recipe, the same every time."""

from __future__ import annotations

from tellapart.config import Recipe
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.selection import few_shots
from tellapart.runtime import derived_seed


def training_splits(data_set: DataSet, recipe: Recipe) -> tuple[ImageSet, ImageSet | None]:
    """Return train, or the shots drawn from it, and validation where the data set has one.

    Args:
        data_set: loaded with the recipe's preparation, so that its validation split is given or
            already held out of train (`tellapart.data.hold_out`).
        recipe: how many shots are drawn, and by which seed.

    Raises:
        DataError: a class with too few images.
    """
    training, validation = data_set.split("train"), data_set.splits.get("validation")
    if recipe.data.shots:
        seed = derived_seed(recipe.training.seed, "shots")
        training = few_shots(training, recipe.data.shots, seed)
    return training, validation
