"""The commands of ``recipes``: what they print, also as JSON, and what they leave behind."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tellapart.config import load_recipe, recipe_names


def test_recipes_list(tellapart):
    outcome = tellapart("recipes", "list")
    assert outcome.code == 0
    for name in recipe_names():
        assert re.search(rf"^{name} ", outcome.out, re.MULTILINE)
    recipes = tellapart("recipes", "list", "--json").json["recipes"]
    assert [recipe["name"] for recipe in recipes] == list(recipe_names())
    assert all(recipe["description"] for recipe in recipes)


def test_recipes_show(tellapart):
    outcome = tellapart("recipes", "show", "tutorial-lenet", "--set", "epochs=77")
    assert outcome.code == 0
    assert "is computed\nepochs = 77\n" in outcome.out
    content = tellapart("recipes", "show", "--json").json
    assert content == json.loads(json.dumps(load_recipe("small-data").to_mapping()))


def test_a_copied_recipe_trains(tellapart, digits):
    outcome = tellapart("recipes", "copy", "tutorial-lenet", "mine.toml", "--set", "epochs=1")
    assert (outcome.code, outcome.out) == (0, "mine.toml\n")
    result = tellapart("train", digits, "--recipe", "mine.toml", "--threads", "1", "--json").json
    assert (result["recipe"], result["num_epochs"]) == ("mine", 1)
    assert result["run"] == "runs/digits-mine-1"
    copied = tellapart("recipes", "copy", "mine.toml", "yours.toml", "--json")
    assert copied.json == {"recipe": "mine.toml", "path": "yours.toml"}


def test_a_copy_overwrites_nothing(refused):
    Path("mine.toml").write_text("dear", "utf-8")
    message = refused("recipes", "copy", "standard", "mine.toml")
    assert message == "mine.toml exists and is left as it is; choose another name"
    assert Path("mine.toml").read_text("utf-8") == "dear"
    assert refused("recipes", "copy", "standard", "mine.txt").startswith("a recipe file ends in")
