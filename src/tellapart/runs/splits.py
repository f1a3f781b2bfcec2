"""The images that a recipe trains on, watches, calibrates on and tests on, the same every time."""

from __future__ import annotations

from tellapart.config import Recipe
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.selection import few_shots
from tellapart.runtime import derived_seed


def run_splits(data_set: DataSet, recipe: Recipe) -> dict[str, ImageSet]:
    """Return the splits of a run by name, in this order, as far as there are such images.

    ``train``, or the shots drawn from it; ``validation``, which is watched after every epoch;
    ``calibration``, which is read once, after training; ``test``.

    Args:
        data_set: loaded with the recipe's preparation, so that what it holds out of train is a
            split already (`tellapart.data.hold_out`).
        recipe: how many shots are drawn, and by which seed.

    Raises:
        DataError: a class with too few images.
    """
    training = data_set.split("train")
    if recipe.data.shots:
        seed = derived_seed(recipe.training.seed, "shots")
        training = few_shots(training, recipe.data.shots, seed)
    others = ("validation", "calibration", "test")
    held_out = {name: data_set.splits[name] for name in others if name in data_set.splits}
    return {"train": training, **held_out}
