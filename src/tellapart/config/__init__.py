"""The recipe: all settings of a training run, as frozen dataclasses.

A field's default, limits and help are defined once, in `sections`, for the command line, the TOML
files and ``tellapart recipes show``. A recipe with an invalid value cannot be made.
"""

from tellapart.config.fields import Scalar
from tellapart.config.keys import Settings, all_keys, typed_settings, with_corrections
from tellapart.config.recipe import (
    Recipe,
    load_recipe,
    recipe_difference,
    recipe_from_mapping,
    recipe_from_toml,
    recipe_names,
    recipe_text,
)
from tellapart.config.sections import (
    OPTIMIZER_FIELDS,
    SECTIONS,
    AugmentationRecipe,
    AveragingRecipe,
    DataRecipe,
    DistillationRecipe,
    FinetuningRecipe,
    ModelRecipe,
    OptimizerRecipe,
    PredictionRecipe,
    ScheduleRecipe,
    TrainingRecipe,
    Views,
)

__all__ = [
    "OPTIMIZER_FIELDS",
    "SECTIONS",
    "AugmentationRecipe",
    "AveragingRecipe",
    "DataRecipe",
    "DistillationRecipe",
    "FinetuningRecipe",
    "ModelRecipe",
    "OptimizerRecipe",
    "PredictionRecipe",
    "Recipe",
    "Scalar",
    "ScheduleRecipe",
    "Settings",
    "TrainingRecipe",
    "Views",
    "all_keys",
    "load_recipe",
    "recipe_difference",
    "recipe_from_mapping",
    "recipe_from_toml",
    "recipe_names",
    "recipe_text",
    "typed_settings",
    "with_corrections",
]
