"""Which recipe a data set gets if none is requested."""

import math

import pytest

from tellapart.config import load_recipe
from tellapart.data.sets.source import OpenedSource
from tellapart.runs.choosing import choose_recipe, fit_to_few_images, suggest_recipe


@pytest.mark.parametrize(
    ("num_train", "shape", "name"),
    [
        (4_000, (1, 28, 28), "small-data"),
        (19_999, (1, 28, 28), "small-data"),
        (20_000, (1, 28, 28), "standard"),
        (60_000, (3, 48, 48), "standard"),
        (300, (3, 128, 128), "photos"),
        (60_000, (3, 64, 64), "photos"),
        (300, (1, 128, 128), "small-data"),
        (300, (3, 32, 128), "small-data"),
    ],
)
def test_size_and_shape_decide(num_train, shape, name):
    chosen, reason = suggest_recipe(num_train, shape)
    assert chosen == name
    printed = f"{shape[2]}x{shape[1]} colour" if name == "photos" else f"{num_train:,} training"
    assert reason.startswith(printed)


def opened(num_train, shape, num_classes=10):
    some, more = divmod(num_train, num_classes)
    counts = {str(label): some + (label < more) for label in range(num_classes)}
    return OpenedSource("things", counts, lambda: shape, read=None)


@pytest.mark.parametrize(
    ("source", "settings", "name"),
    [
        (opened(60_000, (3, 64, 64)), [], "photos"),
        (opened(60_000, (3, 64, 64)), ["data.channels=1"], "standard"),
        (opened(60_000, (3, 64, 64)), ["data.size=32"], "standard"),
        (opened(60_000, (1, 28, 28)), ["data.shots=5"], "small-data"),
        (opened(60_000, (1, 28, 28)), ["data.shots=5000"], "standard"),
        (opened(60_000, (1, 28, 28)), ["data.shots=5000", 'data.classes=["0","1"]'], "small-data"),
        (opened(999, (1, 28, 28)), ["finetuning.source=run"], "finetune-few"),
        (opened(1_000, (1, 28, 28)), ["finetuning.source=run"], "finetune"),
        (opened(60_000, (1, 28, 28)), ["finetuning.source=run", "shots=99"], "finetune-few"),
    ],
)
def test_settings_affect_the_choice(source, settings, name):
    recipe, reason = choose_recipe(None, source, settings)
    assert recipe == load_recipe(name).with_settings(settings)
    assert reason


def test_a_recipe_that_is_named_is_taken_and_needs_no_reason(tmp_path):
    named = load_recipe("photos")
    file = tmp_path / "mine.toml"
    file.write_text(named.to_toml(), "utf-8")
    for asked in ("photos", file, named):
        recipe, reason = choose_recipe(asked, opened(60_000, (1, 28, 28)), ["epochs=3"])
        assert recipe == named.with_settings(["epochs=3"])
        assert reason == ""


def test_the_reason_counts_only_what_is_asked_for():
    source = opened(4_000, (1, 28, 28))
    for settings, count in (
        ([], "4,000"),
        (["data.classes=0,1,2"], "1,200"),
        (["data.shots=500"], "4,000"),
        (["data.shots=5"], "50"),
        (["data.classes=0,1", "data.shots=5"], "10"),
    ):
        assert choose_recipe(None, source, settings)[1].startswith(f"{count} training images"), (
            settings
        )


@pytest.mark.parametrize("num_train", [4, 20, 60, 250, 1000, 2600])
def test_few_images_get_enough_steps(num_train):
    training = fit_to_few_images(load_recipe("small-data"), num_train).training
    steps = math.ceil(num_train / training.batch_size)
    assert training.batch_size <= num_train
    assert training.epochs == 60 or steps * training.epochs >= 500
    assert steps >= min(8, num_train // 8)


def test_many_images_and_what_a_person_has_set_stay():
    recipe = load_recipe("small-data")
    assert fit_to_few_images(recipe, 4000) == recipe
    given = {"training.batch_size", "training.epochs"}
    assert fit_to_few_images(recipe, 60, given) == recipe


def test_fine_tuning_keeps_its_epochs():
    recipe = load_recipe("finetune").with_settings({"finetuning.source": "run"})
    fitted = fit_to_few_images(recipe, 20).training
    assert (fitted.epochs, fitted.batch_size) == (recipe.training.epochs, 20)
