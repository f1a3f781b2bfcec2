"""The recipe as a whole, read from and written to TOML."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from tellapart.config.fields import typed
from tellapart.config.keys import (
    Settings,
    all_keys,
    hints_of,
    locate,
    suggest_key,
    typed_settings,
)
from tellapart.config.sections import (
    OPTIMIZER_FIELDS,
    SECTION_TYPES,
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
)
from tellapart.errors import ConfigError
from tellapart.wording import did_you_mean


@dataclass(frozen=True)
class Recipe:
    """All settings of a training run except the data.

    Raises:
        ConfigError: a name or description that is not text, or no epoch to train a new layer in.

    >>> import tellapart
    >>> recipe = tellapart.Recipe().with_settings({"training.epochs": 3})
    >>> recipe.training.epochs, recipe.optimizer.name
    (3, 'adamw')
    """

    name: str = "custom"
    description: str = ""
    model: ModelRecipe = field(default_factory=ModelRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    augmentation: AugmentationRecipe = field(default_factory=AugmentationRecipe)
    training: TrainingRecipe = field(default_factory=TrainingRecipe)
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    schedule: ScheduleRecipe = field(default_factory=ScheduleRecipe)
    averaging: AveragingRecipe = field(default_factory=AveragingRecipe)
    prediction: PredictionRecipe = field(default_factory=PredictionRecipe)
    distillation: DistillationRecipe = field(default_factory=DistillationRecipe)
    finetuning: FinetuningRecipe = field(default_factory=FinetuningRecipe)

    def __post_init__(self) -> None:
        for entry in ("name", "description"):
            typed(entry, getattr(self, entry), str)
        if self.training.epochs == 0 and self.finetuning.head == "new":
            raise ConfigError(
                "epochs must be at least 1, got 0: only an output layer that is computed, "
                "finetuning.head=linear, prototype or source, needs no training"
            )

    def to_mapping(self) -> dict[str, Any]:
        """Return the recipe as nested tables, as in its TOML file."""
        return dataclasses.asdict(self)

    def to_toml(self, *, explain: bool = False) -> str:
        """Return the recipe as the text of a TOML file, which :func:`recipe_from_toml` reads back.

        Args:
            explain: write each field's help above it as a comment.
        """
        lines = [f"name = {_toml(self.name)}", f"description = {_toml(self.description)}"]
        for section in SECTIONS:
            lines += ["", f"[{section}]"]
            part = getattr(self, section)
            for entry in dataclasses.fields(part):
                value = getattr(part, entry.name)
                if explain:
                    lines.append(f"# {entry.metadata['help']}")
                lines.append(f"{entry.name} = {_toml(value)}")
        return "\n".join(lines) + "\n"

    def with_settings(self, settings: Settings) -> Recipe:
        """Return the recipe with settings applied, all at once.

        A key is ``section.field``, or the field alone if only one section has it, or a section
        alone for its ``name`` (``optimizer=sgd``, ``schedule=cosine``). Another network starts from
        the defaults of its own arguments, not from those of the network that it replaces. Fields
        that another optimizer does not take are dropped.

        Args:
            settings: values by key, or texts ``KEY=VALUE``, as a person types them.

        Returns:
            A new recipe.

        Raises:
            ConfigError: an unknown or ambiguous key, or a value of the wrong type or range.

        >>> Recipe().with_settings({"training.epochs": 3}).training.epochs
        3
        >>> Recipe().with_settings(["epochs=3", "optimizer=sgd"]).optimizer.name
        'sgd'
        """
        tables = self.to_mapping()
        entries: list[tuple[str, str, str, Any]] = []
        changes = typed_settings(settings)
        for key, value in changes.items():
            section, name, entry = locate(key)
            if entry:
                entries.append((section, name, entry, value))
            else:
                tables[section][name] = value
        _drop_unused_fields(tables["optimizer"], self.optimizer, changes.keys())
        if tables["model"]["network"] != self.model.network:
            tables["model"]["arguments"] = {}
        for section, name, entry, value in entries:
            tables[section][name] = {**tables[section][name], entry: value}
        return recipe_from_mapping(tables, origin="--set")


def _drop_unused_fields(
    table: dict[str, Any], before: OptimizerRecipe, given: Collection[str]
) -> None:
    """Removes fields that the new optimizer does not take, unless they are ``given``."""
    name = table["name"]
    if name == before.name or name not in OPTIMIZER_FIELDS:
        return
    for field_name in OPTIMIZER_FIELDS[before.name]:
        if field_name not in OPTIMIZER_FIELDS[name] and f"optimizer.{field_name}" not in given:
            del table[field_name]


def recipe_from_mapping(tables: Mapping[str, Any], *, origin: str) -> Recipe:
    """Return a recipe from nested tables; a missing key has its default.

    Args:
        tables: as :meth:`Recipe.to_mapping` returns them.
        origin: the source of the tables, for error messages.

    Raises:
        ConfigError: an unknown key, or a value of the wrong type or out of range.
    """
    parts: dict[str, Any] = {}
    for section, content in tables.items():
        if section in ("name", "description"):
            parts[section] = content
            continue
        if section not in SECTION_TYPES:
            known = f"known: {', '.join(SECTIONS)}"
            hint = did_you_mean(section, [*SECTIONS, "name", "description"], otherwise=known)
            raise ConfigError(f"{origin}: unknown section [{section}]{hint}")
        if not isinstance(content, Mapping):
            raise ConfigError(f"{origin}: {section} must be a table, got {content!r}")
        for name in content:
            if name not in hints_of(section):
                raise ConfigError(
                    f"{origin}: unknown recipe key {section + '.' + name!r}"
                    f"{suggest_key(section + '.' + name)}"
                )
        try:
            values = {
                name: typed(f"{section}.{name}", value, hints_of(section)[name])
                for name, value in content.items()
            }
            parts[section] = SECTION_TYPES[section](**values)
        except ConfigError as error:
            raise ConfigError(f"{origin}: {error}") from None
    try:
        return Recipe(**parts)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from None


def recipe_from_toml(text: str, *, origin: str) -> Recipe:
    """Return a recipe from the text of its TOML file.

    Raises:
        ConfigError: text that is not TOML, or as :func:`recipe_from_mapping`.
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Deeply nested brackets and very long numbers raise other errors than TOMLDecodeError.
        raise ConfigError(f"{origin} is not a TOML file: {error}") from None
    return recipe_from_mapping(tables, origin=origin)


def recipe_names() -> tuple[str, ...]:
    """Return the names of the bundled recipes, sorted."""
    folder = resources.files("tellapart") / "recipes"
    return tuple(sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml")))


def recipe_text(name: str) -> str:
    """Return the TOML text of a bundled recipe.

    Raises:
        ConfigError: an unknown name.
    """
    names = recipe_names()
    if name not in names:
        known = f"known: {', '.join(names)} (or the path of a .toml file)"
        raise ConfigError(f"unknown recipe {name!r}{did_you_mean(name, names, otherwise=known)}")
    return (resources.files("tellapart") / "recipes" / f"{name}.toml").read_text("utf-8")


def load_recipe(source: str | Path) -> Recipe:
    """Load a bundled recipe by its name, or a recipe from a ``.toml`` file.

    Args:
        source: a name of ``tellapart recipes list``, or a path that ends in ``.toml``.

    Returns:
        The recipe.

    Raises:
        ConfigError: an unknown name, a file that is missing or unreadable, or wrong content.

    >>> import tellapart
    >>> tellapart.load_recipe("small-data").model.network
    'small-residual'
    """
    text = str(source)
    if not text.endswith(".toml"):
        return recipe_from_toml(recipe_text(text), origin=f"recipe {text!r}")
    path = Path(source)
    try:
        content = path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"recipe file {text!r} does not exist; "
            "`tellapart recipes list` lists the bundled recipes"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"recipe file {text!r} cannot be read: {error}") from None
    recipe = recipe_from_toml(content, origin=text)
    return recipe if recipe.name != "custom" else dataclasses.replace(recipe, name=path.stem)


def recipe_difference(left: Recipe, right: Recipe) -> list[str]:
    """Return the keys in which two recipes differ, as lines ``key: left -> right``."""
    lines = []
    for key in all_keys():
        section, name = key.split(".")
        ours, theirs = getattr(getattr(left, section), name), getattr(getattr(right, section), name)
        if ours != theirs:
            lines.append(f"{key}: {_toml(ours)} -> {_toml(theirs)}")
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # TOML has JSON's escapes, and requires DEL to be escaped as well.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        entries = ", ".join(f"{_toml_key(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    return repr(value)


def _toml_key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _toml(name)
