"""The commands of ``tellapart recipes``."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from tellapart.cli.json_output import print_json
from tellapart.cli.options import Json, Settings
from tellapart.errors import ConfigError, RunError

recipes_app = App(name="recipes", help="List, show and copy recipes.")


@recipes_app.command(name="list")
def list_recipes(*, json: Json = False) -> int:
    """List the recipes that come with the package."""
    from tellapart.cli.tables import print_recipes
    from tellapart.config import load_recipe, recipe_names

    recipes = [load_recipe(name) for name in recipe_names()]
    if json:
        print_json({"recipes": [recipe.to_mapping() for recipe in recipes]})
    else:
        print_recipes(recipes)
    return 0


@recipes_app.command
def show(recipe: str = "small-data", /, *, settings: Settings = (), json: Json = False) -> int:
    """Print a recipe in full, with the meaning of each field.

    Parameters
    ----------
    recipe
        A name from `tellapart recipes list`, or a .toml file; by default small-data.
    """
    from tellapart.config import load_recipe

    shown = load_recipe(recipe).with_settings(settings)
    if json:
        print_json(shown.to_mapping())
    else:
        print(shown.to_toml(explain=True), end="")
    return 0


@recipes_app.command
def copy(recipe: str, path: Path, /, *, settings: Settings = (), json: Json = False) -> int:
    """Write a recipe to a .toml file of your own, to edit and pass to --recipe.

    Parameters
    ----------
    recipe
        A name from `tellapart recipes list`, or a .toml file.
    path
        The file to write; an existing file is refused.
    """
    import dataclasses

    from tellapart.config import load_recipe
    from tellapart.files import write_whole

    if path.suffix != ".toml":
        raise ConfigError(f"a recipe file ends in .toml, got {str(path)!r}")
    if path.exists():
        raise RunError(f"{path} exists and is left as it is; choose another name")
    copied = dataclasses.replace(load_recipe(recipe).with_settings(settings), name=path.stem)
    write_whole(path, copied.to_toml(explain=True))
    if json:
        print_json({"recipe": recipe, "path": str(path)})
    else:
        print(path)
    return 0
