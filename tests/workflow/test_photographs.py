"""Photographs in a folder: one command, from a network trained on ImageNet."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tellapart.cli.tables import print_plan
from tellapart.errors import ConfigError
from tellapart.finetuning import imagenet
from tellapart.models.checkpoint import load_classifier
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.planning import TrainingRequest
from tellapart.runs.session import Session
from tellapart.runs.trained_run import open_run
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.finetune import finetune
from tellapart.workflow.train import plan_training, train

pytestmark = pytest.mark.skipif(
    not imagenet.is_installed(), reason="the extra `pretrained` is not installed"
)


class Listener(Callbacks):
    def __init__(self):
        self.notes, self.features = [], []

    def note(self, text):
        self.notes.append(text)

    def on_progress(self, what, done, total):
        if what == "computing features":
            self.features.append((done, total))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two textures in noise, 12 and 12 images of 60x60, which are no drawings."""
    folder = tmp_path_factory.mktemp("data") / "textures"
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:60, :60]
    for name, wave in (("lines", rows), ("checks", rows * columns / 9)):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            texture = 128 + 60 * np.sin(wave * 0.9 + rng.uniform(0, 6))[..., None]
            noisy = texture + rng.normal(0, 40, (60, 60, 3))
            image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
            image.save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def quick(photographs, tmp_path_factory):
    """What `tellapart train FOLDER` does with so few photographs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
        out, listener = tmp_path_factory.mktemp("runs") / "quick", Listener()
        return train(photographs, out=out, session=Session(callbacks=listener)), listener


def test_few_photographs_get_a_linear_layer_without_an_epoch(quick):
    result, listener = quick
    assert (result.recipe, result.num_epochs, result.train_seconds) == ("photos-quick", 0, 0)
    assert result.test_accuracy == 1
    assert result.start.reference.source == "imagenet"
    assert any("cross-validation" in note for note in listener.notes)
    # The images and their mirror images.
    assert [done for done, total in listener.features if done == total] == [20, 20]
    json.dumps(result.to_json(), allow_nan=False)


def test_the_plan_speaks_of_no_optimizer_where_nothing_is_trained(photographs, capsys):
    print_plan(plan_training(TrainingRequest(photographs), Session())[0])
    told = capsys.readouterr().out
    assert "no epochs: only the output layer is computed" in told
    assert "adamw" not in told


def test_its_run_is_one_like_any_other(quick):
    run = open_run(quick[0].run)
    assert run.classifier.image_shape == (3, 160, 160)
    assert run.classifier.spec.fit == "squash"
    assert run.recipe.training.epochs == 0
    report = (quick[0].run / "report.html").read_text("utf-8")
    assert "photos-quick" in report
    assert evaluate(quick[0].run).evaluation.accuracy == 1


def test_a_finished_run_is_resumed_to_the_same_weights(quick):
    again = train(resume=quick[0].run)
    assert again.weights_sha256 == quick[0].weights_sha256


def test_a_run_that_is_stopped_while_features_are_computed_goes_on(photographs, quick):
    class Stopping(Callbacks):
        def on_progress(self, what, done, total):
            raise KeyboardInterrupt(f"{what}, {done} of {total}")

    with pytest.raises(KeyboardInterrupt) as stopped:
        train(photographs, out="stopped", session=Session(callbacks=Stopping()))
    assert "--resume stopped" in stopped.value.__notes__[0]
    assert train(resume="stopped").weights_sha256 == quick[0].weights_sha256


def test_good_trains_from_the_linear_layer_on(photographs):
    listener = Listener()
    result = train(
        photographs, preset="good", settings=["epochs=2"], out="good",
        session=Session(callbacks=listener),
    )  # fmt: skip
    assert (result.recipe, result.num_epochs) == ("photos-few", 2)
    start = load_classifier(Path("good/start.safetensors")).network.state_dict()
    end = load_classifier(Path("good/model.safetensors")).network.state_dict()
    changed = {name for name in start if not torch.equal(start[name], end[name])}
    assert "output.weight" in changed
    assert any(name.startswith("backbone.stage7") for name in changed)
    # The first stages are frozen, and no norm measures the data.
    assert not any(name.startswith(("backbone.stem", "backbone.stage1")) for name in changed)
    assert not any("running" in name for name in changed)


def test_steps_that_make_it_worse_leave_the_linear_layer(photographs):
    listener = Listener()
    ruinous = ["epochs=1", "learning_rate=0.5", "validation_fraction=0.2", "size=96"]
    result = train(
        photographs, recipe="photos-good", settings=ruinous, out="kept",
        session=Session(callbacks=listener),
    )  # fmt: skip
    assert any("is kept" in note for note in listener.notes)
    start, end = (
        load_classifier(Path("kept") / name).network.state_dict()
        for name in ("start.safetensors", "model.safetensors")
    )
    assert all(torch.equal(start[name], end[name]) for name in start)
    assert result.validation_accuracy == 1


def test_imagenet_as_a_source_chooses_the_same(photographs, quick):
    tuned = finetune("imagenet", photographs, out="tuned")
    assert tuned.recipe == "photos-quick"
    assert tuned.weights_sha256 == quick[0].weights_sha256
    with pytest.raises(ConfigError, match="at least 33 pixels"):
        finetune("imagenet", "mnist-sample")


def test_from_zero_takes_nothing_from_it(photographs):
    result = train(photographs, from_zero=True, settings=["epochs=1"], out="zero")
    assert (result.recipe, result.start) == ("photos", None)
