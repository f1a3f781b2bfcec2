"""The recipe that is asked for, or the one that suits a data set."""

from __future__ import annotations

from pathlib import Path

from tellapart.config import Recipe, Settings, load_recipe
from tellapart.data.sets.source import OpenedSource

# Below this many training pictures an epoch is short and more of them are worth having.
_FEW_IMAGES = 20_000
# Below this many, fine-tuning moves the source's weights less.
_FEW_IMAGES_TO_TUNE = 1_000
# Colour pictures whose shorter side is longer than this show things as photographs do.
_LARGEST_SMALL_SIDE = 48


def choose_recipe(
    recipe: str | Path | Recipe | None, opened: OpenedSource, settings: Settings
) -> tuple[Recipe, str]:
    """The recipe that was asked for, or one that suits the data, settings applied; and the reason.

    Args:
        recipe: a name, a ``.toml`` file, or a recipe; None chooses one.
        opened: the data set, nothing of it decoded yet.
        settings: changes; shots, classes, a source and another form have a say in the choice.

    Returns:
        The recipe, and why it was chosen; no reason where it was asked for.

    Raises:
        ConfigError: no such recipe, or a setting that is wrong.
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
        reason = f"{num_train:,} training pictures and a source to start from"
        return ("finetune-few" if few else "finetune"), reason
    channels, height, width = opened.image_shape
    size = asked.data.size
    return suggest_recipe(
        num_train, (asked.data.channels or channels, size or height, size or width)
    )


def suggest_recipe(
    num_train: int, image_shape: tuple[int, int, int] = (1, 28, 28)
) -> tuple[str, str]:
    """A recipe for ``num_train`` training pictures of such a shape, and the reason in words."""
    channels, height, width = image_shape
    if channels == 3 and min(height, width) > _LARGEST_SMALL_SIDE:
        return "photos", f"{width}x{height} colour pictures: a deeper network, mirrored pictures"
    if num_train < _FEW_IMAGES:
        return "small-data", f"{num_train:,} training pictures are few: more, shorter epochs"
    return "standard", f"{num_train:,} training pictures are enough for a few epochs"
