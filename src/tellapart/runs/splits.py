"""What of a data set a recipe trains on and chooses by; the same for whoever asks later."""

from __future__ import annotations

from tellapart.config import Recipe
from tellapart.data.hold_out import stratified_validation
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.selection import few_shots
from tellapart.runtime import derived_seed


def training_splits(data_set: DataSet, recipe: Recipe) -> tuple[ImageSet, ImageSet | None]:
    """Train and validation: the data set's own, or a stratified part of train.

    Validation is cut first and whole; shots are drawn from what is left for training.

    Raises:
        DataError: a class with too few pictures.
    """
    training, validation = data_set.split("train"), None
    fraction, seed = recipe.data.validation_fraction, recipe.training.seed
    if "validation" in data_set.splits:
        validation = data_set.split("validation")
    elif fraction:
        validation_seed = derived_seed(seed, "validation")
        training, validation = stratified_validation(training, fraction, validation_seed)
    if recipe.data.shots:
        training = few_shots(training, recipe.data.shots, derived_seed(seed, "shots"))
    return training, validation
