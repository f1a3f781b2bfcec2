"""A trained run gives back its classifier, its recipe and exactly its own images."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tellapart.errors import ClassifierFileError, RunError
from tellapart.runs.planning import TrainingRequest, make_plan
from tellapart.runs.session import Session
from tellapart.runs.trained_run import open_run
from tellapart.workflow.show import show_network
from tellapart.workflow.train import train

QUICK = {"training.epochs": 1, "training.batch_size": 8, "model.network": "single-conv"}


def stripes(folder, per_class=20, seed=0):
    """Files of two classes, stripes across or along."""
    noise = np.random.default_rng(seed)
    for number, name in enumerate(("across", "along")):
        (folder / name).mkdir(parents=True)
        for index in range(per_class):
            pixels = noise.integers(0, 60, (40, 40, 3))
            place = int(noise.integers(5, 35))
            pixels[(slice(None), place) if number else place] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{index:02d}.png")
    return folder


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"data.split_seed": 7},
        {"data.size": 24},
        {"data.validation_fraction": 0.25, "data.shots": 6},
        {"data.test_fraction": 0.5, "data.fit": "crop", "data.channels": 1},
        {"data.group_by": r"(\d)\.png", "data.validation_fraction": 0.2},
    ],
    ids=str,
)
def test_the_splits_are_those_of_the_training(tmp_path, settings):
    folder = stripes(tmp_path / "stripes")
    changes = {**QUICK, **settings}
    plan = make_plan(TrainingRequest(folder, settings=changes), Session())
    result = train(folder, settings=changes, out="run", session=Session(threads=1))
    splits = open_run(result.run).splits
    assert list(splits) == list(plan.splits)
    for name, part in splits.items():
        assert torch.equal(part.images, plan.splits[name].images)
        assert torch.equal(part.labels, plan.splits[name].labels)


def test_a_test_image_is_shown_and_no_train_image(tmp_path):
    """Whatever cut the test split, what is shown is of it, and its caption is true."""
    folder = stripes(tmp_path / "stripes")
    settings = {**QUICK, "data.split_seed": 7, "data.size": 24}
    train(folder, settings=settings, out="run", session=Session(threads=1))
    run = open_run("run")
    shown = show_network("run", out="network.html")
    assert shown.probabilities is not None
    first = run.splits["test"].images[:1]
    wanted = run.classifier(first).softmax(1)[0]
    assert shown.probabilities == pytest.approx(wanted.tolist(), abs=1e-4)
    assert "the first test image of stripes" in Path("network.html").read_text("utf-8")
    train(folder, settings={**QUICK, "data.test_fraction": 0}, out="b", session=Session(threads=1))
    show_network("b", out="b.html")
    assert "the first train image of stripes" in Path("b.html").read_text("utf-8")


def test_what_a_run_knows(trained):
    run = open_run(trained.run)
    assert run.classifier.class_names == tuple("0123456789")
    assert run.recipe.training.epochs == 1
    sizes = {name: len(part) for name, part in run.splits.items()}
    assert sizes == {"train": 3800, "calibration": 200, "test": 1000}
    assert run.evaluation == trained.test
    assert run.report == trained.run / "report.html"
    assert run.data.name == "mnist-sample"


def test_data_that_changed_or_is_gone_is_refused(tmp_path):
    folder = stripes(tmp_path / "stripes")
    train(folder, settings=QUICK, out="run", session=Session(threads=1))
    shutil.move(folder / "across" / "00.png", folder / "along" / "moved.png")
    with pytest.raises(RunError, match="has changed since it was trained"):
        _ = open_run("run").splits
    shutil.rmtree(folder)
    with pytest.raises(RunError, match=r"is gone: there is no .*stripes"):
        _ = open_run("run").splits
    elsewhere = stripes(tmp_path / "elsewhere")
    assert len(open_run("run", data=elsewhere).splits["train"]) == 32


def test_a_classifier_file_alone_knows_its_recipe_and_no_data(trained, tmp_path):
    file = shutil.copy(trained.run / "model.safetensors", tmp_path / "alone.safetensors")
    alone = open_run(file)
    assert alone.recipe == open_run(trained.run).recipe
    with pytest.raises(RunError, match="give the run's folder"):
        _ = alone.splits


def test_what_is_no_run(tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        open_run(tmp_path / "nowhere")
    (tmp_path / "text.safetensors").write_text("dear reader", "utf-8")
    with pytest.raises(ClassifierFileError):
        open_run(tmp_path / "text.safetensors")
