"""``data check`` and ``data prepare`` on folders, and the quick part before training."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tellapart.config import Recipe
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.quality.warnings import warnings_before_training
from tellapart.errors import ConfigError, DataError, RunError
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.choosing import Wish
from tellapart.runs.planning import TrainingRequest, make_plan
from tellapart.runs.session import Session
from tellapart.workflow.check import check
from tellapart.workflow.prepare import prepare
from tellapart.workflow.train import train

QUICK = ["model.network=single-conv", "epochs=1", "batch_size=8"]


class Listener(Callbacks):
    def __init__(self):
        self.warnings, self.notes, self.decoded = [], [], []

    def warn(self, text):
        self.warnings.append(text)

    def note(self, text):
        self.notes.append(text)

    def on_decoding(self, done, total):
        self.decoded.append((done, total))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def pets(tmp_path):
    for label, name in enumerate(("cat", "dog")):
        for number in range(20):
            draw(tmp_path / "pets" / name / f"{number}.png", 100 * label + number)
    return tmp_path / "pets"


@pytest.fixture
def leaky(tmp_path):
    for label, name in enumerate(("cat", "dog")):
        for number in range(24 if label else 6):
            draw(tmp_path / "leaky/train" / name / f"{number}.png", 100 * label + number)
        draw(tmp_path / "leaky/test" / name / "same.png", 100 * label + 2)
    return tmp_path / "leaky"


def test_a_form_that_images_cannot_take_is_refused_as_by_training():
    for call in (check, prepare):
        with pytest.raises(
            ConfigError, match=r"^mnist-sample holds images of 28x28 with 1 channel"
        ):
            call("mnist-sample", settings=["data.size=32"])


@pytest.mark.parametrize("size", [32, 96])
def test_images_are_divided_as_training_will_divide_them(pets, size):
    """By the shares of the recipe that training takes for pictures of this size."""
    settings = [f"data.size={size}"]
    asked = TrainingRequest(pets, settings=settings, wish=Wish(from_zero=True))
    plan = make_plan(asked, Session())
    assert plan.recipe.name == ("photos" if size == 96 else "small-data")
    trained_on = {name: len(part) for name, part in plan.data_set.splits.items()}
    assert ("validation" in trained_on) == (size == 96)
    recipe = plan.recipe.name
    assert prepare(pets, recipe=recipe, settings=settings).num_images == trained_on
    checked = check(pets, recipe=recipe, settings=settings).data_set
    assert {name: len(part) for name, part in checked.splits.items()} == trained_on
    assert checked.fingerprint == plan.data_set.fingerprint


def test_images_are_divided_as_the_recipe_that_is_named_divides_them(pets):
    """``photos`` holds out validation; ``small-data``, which suits so small pictures, does not."""
    for recipe, names in ((None, {"train", "test"}), ("photos", {"train", "validation", "test"})):
        asked = {"recipe": recipe, "settings": ["data.size=32"]}
        plan = make_plan(TrainingRequest(pets, **asked), Session())
        assert set(plan.data_set.splits) == names
        assert check(pets, **asked).data_set.fingerprint == plan.data_set.fingerprint
        assert set(prepare(pets, **asked).num_images) == names


def test_a_check_reports_everything_as_json_and_as_a_page(leaky, tmp_path):
    result = check(leaky, page=tmp_path / "pages" / "check.html")
    content = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert content["has_leaks"] is True
    assert content["class_counts"]["train"] == {"cat": 6, "dog": 24}
    leaks = [f for f in content["findings"] if f["severity"] == "leak"]
    assert {Path(p["path"]).name for f in leaks for g in f["groups"] for p in g} == {
        "2.png", "same.png"
    }  # fmt: skip
    assert Path(content["page"]).read_text("utf-8").startswith("<!doctype html>")


def test_a_sound_folder_has_nothing_to_say(pets):
    result = check(pets, settings=["validation_fraction=0"])
    assert not result.audit.has_leaks
    assert result.page is None
    assert {f.kind for f in result.audit.findings} == {"tiny class"}


def test_a_page_is_an_html_file(pets, tmp_path):
    with pytest.raises(RunError, match=r"must be an \.html file, got .*pets"):
        check(pets, page=pets)


def test_preparing_decodes_once_and_reports_where(pets):
    listener = Listener()
    result = prepare(pets, settings=["data.size=24"], session=Session(callbacks=listener))
    assert listener.decoded[-1] == (40, 40)
    assert result.image_shape == (3, 24, 24)
    assert sum(result.num_images.values()) == 40
    assert result.num_bytes == 40 * 3 * 24 * 24
    assert result.cache.is_dir()
    json.dumps(result.to_json(), allow_nan=False)
    again = Listener()
    prepare(pets, settings=["data.size=24"], session=Session(callbacks=again))
    assert again.decoded == []


def test_training_warns_of_leaks_and_of_uneven_classes(leaky):
    listener = Listener()
    make_plan(TrainingRequest(leaky, settings=QUICK), Session(callbacks=listener))
    (leak,), (uneven,) = listener.warnings, listener.notes
    assert leak.startswith("2 of the 2 images of test are in train too")
    assert "`tellapart data check`" in leak
    assert "4 times" in uneven
    assert "training.class_weights=balanced" in uneven
    quiet = Listener()
    make_plan(
        TrainingRequest(leaky, settings=[*QUICK, "sampling=balanced"]), Session(callbacks=quiet)
    )
    assert len(quiet.warnings) == 1
    assert quiet.notes == []


def test_images_in_memory_are_compared_byte_for_byte():
    images = torch.randint(0, 256, (6, 1, 4, 4), dtype=torch.uint8)
    part = ImageSet(images, torch.tensor([0, 1, 0, 1, 0, 1]), ("a", "b"))
    test = replace(part, images=torch.cat([images[:2], 255 - images[2:]]))
    mine = DataSet("mine", {"train": part, "test": test}, "0")
    [warning] = warnings_before_training(mine, Recipe())
    assert warning.startswith("2 of the 6 images of test are in train too")
    assert not list(warnings_before_training(replace(mine, name="mnist"), Recipe()))


@pytest.mark.parametrize(
    "settings", [["training.class_weights=balanced"], ["training.sampling=balanced"], ["fit=crop"]]
)
def test_a_folder_is_trained_on_and_its_run_reports_which_images(pets, settings):
    result = train(pets, settings=[*QUICK, *settings], out="run", session=Session(threads=1))
    assert result.test is not None
    assert result.test.num_images == 8
    rows = (result.run / "images.csv").read_text("utf-8").splitlines()
    assert rows[0] == "path,label,split"
    assert len(rows) == 41
    # The table is data too: the same pictures in the same splits.
    plan = make_plan(TrainingRequest(result.run / "images.csv", settings=QUICK), Session())
    ours = make_plan(TrainingRequest(pets, settings=QUICK), Session())
    assert plan.data_set.fingerprint == ours.data_set.fingerprint


def renamed(path, name):
    """The path under a name of bytes that are no UTF-8."""
    target = Path(os.fsdecode(os.fsencode(path.parent) + b"/" + name))
    try:
        return path.rename(target)
    except OSError:
        pytest.skip("this file system takes names of UTF-8 only")


def test_names_that_are_not_utf_8_are_reported_and_keep_nothing_from_being_written(pets):
    renamed(pets / "cat" / "3.png", b"K\xe4tzchen.png")
    result = check(pets, settings=["validation_fraction=0"], page="check.html")
    json.dumps(result.to_json(), ensure_ascii=False).encode("utf-8")
    [finding] = [f for f in result.audit.findings if f.kind == "name not UTF-8"]
    assert finding.message == "1 left out: rename them"
    assert finding.paths == ((f"{pets}/cat/K\\xe4tzchen.png", "its name is not UTF-8; rename it"),)
    assert "K\\xe4tzchen.png" in Path("check.html").read_text("utf-8")
    trained = train(pets, settings=QUICK, out="run", session=Session(threads=1))
    assert len((trained.run / "images.csv").read_text("utf-8").splitlines()) == 40
    assert "left out, name not UTF-8: 1 (cat/K\\xe4tzchen.png)" in result.data_set.notes
    plan = make_plan(TrainingRequest(trained.run / "images.csv", settings=QUICK), Session())
    assert sum(map(len, plan.data_set.splits.values())) == 39


def test_a_place_that_is_not_utf_8_is_refused(pets):
    moved = renamed(pets, b"H\xe4user")
    with pytest.raises(DataError) as caught:
        train(moved, settings=QUICK, out="run")
    assert str(caught.value) == (
        f"{pets.parent}/H\\xe4user: this path is not UTF-8, and a run could not write down where "
        "its images are; rename the folder or file whose name is not"
    )
    assert not Path("run").exists()
